"""How long a verdict takes: from file to verdict, beside the time of its ONNX models alone."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd

from inspection.errors import InspectionError
from inspection.geometry import Image, locator_input
from inspection.images import decode
from inspection.runtime.inspector import Inspector
from inspection.runtime.sessions import OnnxSession
from inspection.runtime.views import View
from inspection.storage import read_table

MS_PER_S = 1000


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds over all parts: from file to verdict, and in the ONNX sessions alone."""

    n_parts: int
    n_views: int
    inspected_s: float
    sessions_s: float

    def __str__(self) -> str:
        per_part = MS_PER_S * self.inspected_s / self.n_parts
        in_sessions = MS_PER_S * self.sessions_s / self.n_parts
        ratio = self.inspected_s / self.sessions_s
        views_each = self.n_views / self.n_parts
        return (
            f"from file to verdict {per_part:.1f} ms a part, "
            f"ONNX Runtime alone {in_sessions:.1f} ms, "
            f"ratio {ratio:.2f} "
            f"({self.n_parts} parts, {views_each:.1f} views each)"
        )


def main() -> None:
    """Time the bundle on the parts of the test fold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument(
        "--manifest",
        type=Path,
        default=Path("artifacts/labels/manifest.parquet"),
    )
    parser.add_argument(
        "--folds",
        type=Path,
        default=Path("artifacts/folds/folds.parquet"),
    )
    parser.add_argument("--threads", type=int, default=1, help="of each model")
    given = parser.parse_args()

    try:
        manifest = read_table(given.manifest)
        folds = read_table(given.folds)
        views = views_of_test(manifest, folds)
        parts = read_parts(views, given.data)
        found = timed(given.bundle, parts, given.threads)
    except InspectionError as error:
        raise SystemExit(f"inference: {error}") from error
    sys.stdout.write(f"{found}\n")


def views_of_test(manifest: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """The views of the test fold."""
    fold_of = folds[["view_id", "fold"]]
    views = manifest.merge(fold_of, on="view_id", validate="1:1")
    is_test = views["fold"] == "test"
    return views[is_test]


def read_parts(views: pd.DataFrame, data: Path) -> list[list[View]]:
    """The views of each part, read into memory: the disk is not what is timed."""
    parts = []
    for _, of_part in views.groupby("part_id", sort=False):
        part = []
        for path in of_part["path"]:
            content = (data / path).read_bytes()
            part.append(View(path, content))
        parts.append(part)
    return parts


def timed(bundle: Path, parts: Sequence[Sequence[View]], threads: int = 1) -> Timing:
    """Time all parts once, after one part that warms caches up."""
    if not parts:
        raise InspectionError("test fold: holds no part; run `dvc repro split`")

    inspector = Inspector(bundle, threads=threads)
    inspector.inspect(parts[0])
    began = time.perf_counter()
    for views in parts:
        inspector.inspect(views)
    inspected_s = time.perf_counter() - began

    inputs = model_inputs(inspector, parts)
    in_sessions_s = sessions_s(bundle, inputs, threads)
    return Timing(
        n_parts=len(parts),
        n_views=sum(map(len, parts)),
        inspected_s=inspected_s,
        sessions_s=in_sessions_s,
    )


def model_inputs(
    inspector: Inspector, parts: Sequence[Sequence[View]]
) -> dict[str, list[Image]]:
    """What each model file gets to see of these parts: shrunk frames, or crops."""
    card = inspector.card
    locator = card.locator
    inputs: dict[str, list[Image]] = {name: [] for name in card.models.files}
    region_of = {one.file: one.region for one in card.detectors.values()}
    for view in chain.from_iterable(parts):
        if locator is not None:
            frame = decode(
                view.content,
                channels=card.line.channels,
                bit_depth=card.line.bit_depth,
            )
            shrunk = locator_input(frame, locator.size_px)
            inputs[locator.file].append(shrunk)

        crops = inspector.measure(view).crops
        for file, region in region_of.items():
            if region in crops:
                inputs[file].append(crops[region])
    return inputs


def sessions_s(bundle: Path, inputs: dict[str, list[Image]], threads: int) -> float:
    """Seconds that ONNX Runtime alone takes on the inputs of each model file."""
    total = 0.0
    for name, images in inputs.items():
        session = OnnxSession(bundle / name, threads=threads)
        # the first run allocates what the later ones use again
        for image in images[:1]:
            session.run(image)

        began = time.perf_counter()
        for image in images:
            session.run(image)
        total += time.perf_counter() - began
    return total


if __name__ == "__main__":
    main()
