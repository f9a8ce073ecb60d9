"""Normals that look least normal to an anomaly model without them, as they wait at the desk."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dashboard.review.queue import LEAST_NORMAL, NOT_SCORED, Item, item_of
from inspection.curation.least_normal import LeastNormal
from inspection.line import Line


def from_least_normal(
    listed: Mapping[str, LeastNormal | None],
    line: Line,
    manifest: pd.DataFrame,
    data: Path,
) -> list[Item]:
    """The views that are listed of each region, as long as their label is normal.

    None stands for a region of which nothing is listed yet.
    """
    rows = {row.view_id: row for row in manifest.itertuples()}
    found = []
    for region, of_region in listed.items():
        if of_region is None:
            continue

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
