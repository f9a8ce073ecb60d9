"""The worst views of test parts, kept as pictures: of parts judged wrongly, and of normal ones."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inspection.errors import InspectionError
from inspection.evaluation.part_scores import Parts
from inspection.geometry import Floats, Image
from inspection.runtime.bundle import Settings
from inspection.runtime.defect_boxes import heat_of
from inspection.runtime.detectors import FUSED
from inspection.storage import replacing

# Of each kind so many parts are kept at most: the report shows fewer, and a change of
# its page must not ask for the test fold to be measured anew. 100 parts are some 5 MB.
MAX_KEPT = 100
ESCAPE, OVERKILL, WRONG_NAME = "escape", "overkill", "wrong name"


@dataclass(frozen=True)
class Picture:
    """A crop (H, W, C) and its heat (h, w) on the absolute scale, 0..1."""

    crop: Image
    heat: Floats


# By part, then by detector.
Pictures = dict[str, dict[str, Picture]]


def errors(table: pd.DataFrame, normal: str) -> pd.DataFrame:
    """The parts judged wrongly, with a column `kind`, the worst kind and the worst part first.

    The worst escape is the least suspicious one, the worst overkill the most suspicious one.
    """
    is_defective = table["label"] != normal
    passed = table["verdict"] == "pass"
    rejected = table["verdict"] == "reject"
    has_another_name = table["named"] != table["label"]

    escapes = table[is_defective & passed].sort_values(FUSED)
    overkill = table[~is_defective & rejected]
    overkill = overkill.sort_values(FUSED, ascending=False)
    misnamed = table[is_defective & ~passed & has_another_name]
    return pd.concat(
        [
            escapes.assign(kind=ESCAPE),
            overkill.assign(kind=OVERKILL),
            misnamed.assign(kind=WRONG_NAME),
        ]
    )


def normals(table: pd.DataFrame, normal: str) -> pd.DataFrame:
    """The normal parts by their id, whatever the verdict."""
    return table[table["label"] == normal].sort_values("part_id")


def pictures(table: pd.DataFrame, parts: Parts, settings: Settings) -> Pictures:
    """Pictures of the worst view of the first parts of `errors`, kind by kind, and `normals`."""
    wrong = errors(table, settings.line.normal).groupby("kind").head(MAX_KEPT)
    good = normals(table, settings.line.normal).head(MAX_KEPT)
    kept = pd.concat([wrong, good]).drop_duplicates("part_id")

    found: Pictures = {}
    for row in kept.itertuples():
        part_id = str(row.part_id)
        worst = next(view for view in parts[part_id] if view.name == row.worst_view)

        found[part_id] = {}
        for name, output in worst.detectors.items():
            detector = settings.detectors[name]
            crop = worst.crops[detector.region]
            found[part_id][name] = Picture(crop, heat_of(output, detector))
    return found


def save_pictures(path: Path, found: Pictures) -> None:
    """Write pictures as one compressed file of arrays; the same pictures make the same bytes."""
    part_ids = list(found)
    arrays: dict[str, Any] = {"part_ids": np.array(part_ids, dtype=np.str_)}
    for number, part_id in enumerate(part_ids):
        for name, picture in found[part_id].items():
            arrays[f"{number}/{name}/crop"] = picture.crop
            arrays[f"{number}/{name}/heat"] = picture.heat

    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_pictures(path: Path) -> Pictures:
    """Read what `save_pictures` wrote; raises InspectionError where the file is no such one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            part_ids = [str(part_id) for part_id in arrays["part_ids"]]
            found: Pictures = {part_id: {} for part_id in part_ids}
            for number, name, picture in _read(arrays):
                found[part_ids[number]][name] = picture
            return found
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InspectionError(
            f"{path}: holds no pictures ({error}); run `dvc repro assemble`"
        ) from error


def _read(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[int, str, Picture]]:
    for key in arrays:
        if not key.endswith("/crop"):
            continue

        number, name, _ = key.split("/")
        heat = arrays[f"{number}/{name}/heat"]
        yield int(number), name, Picture(crop=arrays[key], heat=heat)
