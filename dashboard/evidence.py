"""What was measured of parts by models that have not seen them: never the test fold.

Where stage train kept scores out of fold, those; else the val fold, measured once by the assembled
bundle and kept. What is kept has the form of the tables out of fold.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from inspection.evaluation.part_scores import (
    OUT_OF_FOLD,
    Parts,
    out_of_fold_parts,
    out_of_fold_table,
    part_scores,
    read_out_of_fold,
)
from inspection.parts import labels_of_parts
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import FUSED, Calibration, Scores, score_names
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import decide, scores_of
from inspection.runtime.views import View, ViewOutputs
from inspection.storage import write_table

DIGEST_DIGITS = 12  # no outcome: it names a folder of a cache

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Evidence:
    """Parts with what each detector gives for their views, and the label of each part.

    `source` is `out_of_fold` (train and val, each part by models without it) or `val`.
    """

    parts: Parts
    labels: dict[str, str]
    source: str

    @property
    def where(self) -> str:
        """Where the parts were judged, in words."""
        return "out of fold" if self.source == "out_of_fold" else "on val"

    def scores(self, settings: Settings) -> Scores:
        """Scores (parts, scores) of the worst view, as the card calibrates them.

        The columns are those of `score_names`.
        """
        return part_scores(self.parts, settings)

    def verdicts(self, settings: Settings) -> list[str]:
        """The verdict on each part by the card's thresholds."""
        limits = settings.thresholds
        names = score_names(settings.line)
        columns = [names.index(name) for name in limits]
        scores = self.scores(settings)
        return decide(scores[:, columns], list(limits.values()))

    def fused_scores(self, settings: Settings) -> dict[str, float]:
        """The fused score of each part, 0..1; NaN where one of its views has none."""
        column = score_names(settings.line).index(FUSED)
        fused = self.scores(settings)[:, column]
        return dict(zip(self.parts, map(float, fused), strict=True))

    def deciding_view(self, part_id: str, settings: Settings) -> str:
        """The path of the view of the highest fused score; those that lack a region come last."""

        def fused_score(view: ViewOutputs) -> float:
            # scores are 0..1: a view without one lies below them all
            return scores_of(view, settings).get(FUSED, -1.0)

        return max(self.parts[part_id], key=fused_score).name


def calibrations(settings: Settings) -> Mapping[str, Calibration]:
    """How each detector's scores are calibrated, by its name."""
    return {name: one.calibration for name, one in settings.detectors.items()}


def stored(
    views: pd.DataFrame,
    settings: Settings,
    folders: Mapping[str, Path],
    kept: Path,
    version: str,
) -> Evidence | None:
    """The evidence that lies there, or None where val has to be measured first.

    `views` are those of the clean manifest with their `fold`, `folders` the detectors' artifacts.
    """
    source = "out_of_fold"
    wanted = views[views["fold"] != "test"]
    tables = _tables(folders)
    # thresholds need all scores of a part: where one detector has none, val is measured for all
    if len(tables) < len(folders):
        source = "val"
        wanted = views[views["fold"] == "val"]
        place = kept / _digest(wanted, version)
        tables = _tables({name: place / name for name in settings.detectors})
    if len(tables) < len(settings.detectors):
        return None

    parts = out_of_fold_parts(wanted, tables)
    labels = labels_of_parts(wanted, settings.line.normal)
    return Evidence(parts, labels, source)


def _tables(folders: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """The table out of fold of each detector, where there is one."""
    found = {}
    for name, folder in folders.items():
        table = read_out_of_fold(folder)
        if table is not None:
            found[name] = table
    return found


def measure(
    inspector: Inspector,
    views: pd.DataFrame,
    data: Path,
    kept: Path,
    progress: Progress = lambda share: None,
) -> None:
    """Measure the views of val by the exported models, and keep what they give."""
    val = views[views["fold"] == "val"].reset_index(drop=True)
    detectors = inspector.card.detectors
    # of each detector the rows of `val` in which its region was found, and its values there
    rows: dict[str, list[int]] = {name: [] for name in detectors}
    values: dict[str, list[object]] = {name: [] for name in detectors}
    for number, path in enumerate(val["path"]):
        view = View(path, (data / path).read_bytes())
        outputs = inspector.measure(view)
        for name, output in outputs.detectors.items():
            rows[name].append(number)
            values[name].append(output.values)
        progress((number + 1) / len(val))

    place = kept / _digest(val, inspector.card.version)
    for name in detectors:
        with_region = val.iloc[rows[name]]
        table = out_of_fold_table(
            with_region.reset_index(drop=True),
            np.array(values[name]),
        )
        write_table(place / name / OUT_OF_FOLD, table)


def _digest(views: pd.DataFrame, version: str) -> str:
    """What names the measurements of these images by this model."""
    # with the part: the same images, sorted into other parts, give other verdicts
    images = sorted(views["image_sha256"] + views["part_id"])
    text = "\n".join([version, *images])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"val-{digest[:DIGEST_DIGITS]}"
