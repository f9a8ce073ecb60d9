"""Write the report of a bundle: one page that needs nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from inspection.curation.least_normal import read_least_normal
from inspection.evaluation.worst_views import load_pictures
from inspection.geometry import Image
from inspection.line import Line
from inspection.models.crops import load_crops
from inspection.runtime.bundle import Card, verified
from inspection.runtime.detectors import score_names
from inspection.storage import read_json, write_text
from stages import program
from stages.report_page import (
    N_LEAST_NORMAL,
    Evidence,
    NormalsOfRegion,
    records,
    render_report,
)


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    bundle: Annotated[Path, "folder of the bundle"]
    test_fold: Annotated[Path, "folder of what was measured on the test fold"]
    quarantine: Annotated[Path, "list of quarantined files"]
    issues: Annotated[Path, "ranked label issues"]
    split_metrics: Annotated[
        Path, "metrics of the split: leakage price and shortcut audit"
    ]
    classifier: Annotated[Path, "folder of the classifier, with its training curves"]
    cam: Annotated[Path, "folder of the CAM recipe, with its gallery"]
    anomaly: Annotated[
        Path, "folder of the anomaly models, with the normals that look least normal"
    ]
    crops: Annotated[Path, "folder of the crops, of which those of suspects are shown"]
    out: Annotated[Path, "folder for the report"]


def main() -> None:
    """Load the bundle and what was found on the way to it, draw the page, save it."""
    paths = program.paths(Paths, __doc__)
    card = verified(paths.bundle)
    table = read_parts(paths.test_fold / "parts.csv", card.line)
    evidence = Evidence(
        table=table,
        pictures=load_pictures(paths.test_fold / "pictures.npz"),
        curves=pd.read_csv(paths.classifier / "curves.csv"),
        recipes=records(paths.cam / "table.csv"),
        gallery=paths.cam / "gallery",
        quarantine=records(paths.quarantine),
        issues=records(paths.issues),
        split=read_json(paths.split_metrics),
        crops=crops_of_suspects(card, paths.crops),
        normals=normals_of_regions(card.line, paths.anomaly, paths.crops),
    )
    page = render_report(card, evidence)
    write_text(paths.out / "index.html", page)

    n_pictures = page.count("<img ")
    program.log.info(
        "report: %s, %d test parts, %d pictures",
        paths.out / "index.html",
        len(table),
        n_pictures,
    )


def crops_of_suspects(card: Card, folder: Path) -> dict[str, list[Image]]:
    """The crops (H, W, C) of the views of suspects, region by region, by the view's path."""
    views = [row["view"] for row in card.metrics["limit"].get("suspects", [])]
    found: dict[str, list[Image]] = {view: [] for view in views}
    for region in dict.fromkeys(one.region for one in card.detectors.values()):
        crops = load_crops(folder, region)
        for row, path in enumerate(crops.index["path"]):
            if path in found:
                found[path].append(np.array(crops.images[row]))
    return found


def normals_of_regions(
    line: Line, anomaly: Path, folder: Path
) -> list[NormalsOfRegion]:
    """The normals that look least normal, of each region with its crops of the first of them."""
    found = []
    for region in line.detect_anomalies:
        listed = read_least_normal(anomaly / region)
        if listed is None:
            continue

        crops = load_crops(folder, region)
        row_of = {view_id: row for row, view_id in enumerate(crops.index["view_id"])}
        first = listed.views["view_id"].head(N_LEAST_NORMAL)
        images = [np.array(crops.images[row_of[view_id]]) for view_id in first]
        found.append(NormalsOfRegion(region, listed, images))
    return found


def read_parts(path: Path, line: Line) -> pd.DataFrame:
    """The table of test parts; a part or a class may well be called `NA`."""
    # pandas takes the text NA for a missing value; only a score may be missing, and is empty then
    return pd.read_csv(
        path,
        dtype={"part_id": str},
        keep_default_na=False,
        na_values={name: [""] for name in score_names(line)},
    )


if __name__ == "__main__":
    program.run("report", main)
