"""Normals that look least normal to an anomaly model without them, as they wait at the desk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dashboard.review.queue import LEAST_NORMAL, NOT_SCORED, Item, item_of
from inspection.curation.least_normal import LeastNormal, least_normal
from inspection.line import Line
from inspection.storage import read_json

SUSPECTS = "suspects.csv"
CALIBRATION = "calibration.json"


def read_least_normal(folder: Path, line: Line) -> dict[str, LeastNormal]:
    """What stage fit_anomaly lists, by region; nothing of a region that it has not fitted."""
    found = {}
    for region in line.detect_anomalies:
        of_region = folder / region
        if (of_region / SUSPECTS).is_file():
            ranked = pd.read_csv(
                of_region / SUSPECTS,
                # a number of a part keeps its zeros in front
                dtype={"view_id": str, "part_id": str},
                keep_default_na=False,
            )
            evidence = read_json(of_region / CALIBRATION)["evidence"]
            found[region] = least_normal(ranked, evidence)
    return found


def from_least_normal(
    listed: dict[str, LeastNormal], line: Line, manifest: pd.DataFrame, data: Path
) -> Sequence[Item]:
    """The views that are listed of each region, as long as their label is normal."""
    rows = {row.view_id: row for row in manifest.itertuples()}
    found = []
    for region, of_region in listed.items():
        ids, scores = of_region.views["view_id"], of_region.views["score"]
        for place, (view_id, score) in enumerate(zip(ids, scores, strict=True), 1):
            row = rows.get(view_id)
            if row is None or row.label != line.normal:
                continue

            item = item_of(
                row,
                data,
                kind=LEAST_NORMAL,
                reason=f"number {place} of {of_region.n_views} normal views in {region} by how "
                f"little it looks like the others: {score:.2f} standard deviations, listed from "
                f"{of_region.limit:.2f} on",
                score=NOT_SCORED,
            )
            found.append(replace(item, beyond=float(score - of_region.limit)))
    return found
