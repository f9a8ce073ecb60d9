"""Write the report of a bundle: one page that needs nothing else."""

from pathlib import Path

import pandas as pd

from inspection.evaluation.worst_views import load_pictures
from inspection.runtime.bundle import verified
from inspection.runtime.detectors import DETECTORS
from inspection.storage import read_json, write_text
from stages import program
from stages.report_page import Evidence, records, render_report


def main() -> None:
    """Load the bundle and what was found on the way to it, draw the page, save it."""
    paths = program.arguments(
        __doc__,
        bundle="folder of the bundle",
        test_fold="folder of what was measured on the test fold",
        quarantine="list of quarantined files",
        issues="ranked label issues",
        split_metrics="metrics of the split: leakage price and shortcut audit",
        classifier="folder of the classifier, with its training curves",
        cam="folder of the CAM recipe, with its gallery",
        out="folder for the report",
    )
    card = verified(paths.bundle)
    table = read_parts(paths.test_fold / "parts.csv")
    evidence = Evidence(
        table=table,
        pictures=load_pictures(paths.test_fold / "pictures.npz"),
        curves=pd.read_csv(paths.classifier / "curves.csv"),
        recipes=records(paths.cam / "table.csv"),
        gallery=paths.cam / "gallery",
        quarantine=records(paths.quarantine),
        issues=records(paths.issues),
        split=read_json(paths.split_metrics),
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


def read_parts(path: Path) -> pd.DataFrame:
    """The table of test parts; a part or a class may well be called `NA`."""
    return pd.read_csv(
        path,
        dtype={"part_id": str},
        keep_default_na=False,
        na_values={name: [""] for name in DETECTORS},
    )


if __name__ == "__main__":
    program.run("report", main)
