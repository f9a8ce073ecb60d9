"""Assemble the bundle: export, check parity, set thresholds on val, and read the test fold once."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from inspection.curation.folds import with_folds
from inspection.evaluation import metrics as outcomes
from inspection.evaluation.cam_truth import cam_truth
from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import decided
from inspection.evaluation.parity import require_parity
from inspection.geometry import Image
from inspection.images import read_frame
from inspection.line import Line
from inspection.models.crops import load_crops
from inspection.parts import labels_of_parts
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from inspection.storage import read_table, replace_folder, write_table, write_text
from stages import program
from stages.golden import golden_parity, locator_parity
from stages.graphs import export_graphs, load_trained, open_inspector, write_card
from stages.lineage import lineage
from stages.report import render_report

N_GOLDEN_FRAMES = 16


class AssembleParams(program.Params):
    """What decisions cost, the escape rate to be claimed, and how far a graph may be off."""

    costs: Costs = Costs()
    max_escape_rate: float = Field(default=0.01, gt=0, lt=1)
    parity_tolerance: float = Field(default=1e-3, gt=0)
    golden_crops: int = Field(default=64, ge=1)


def main() -> None:
    """Load what was trained, assemble and measure the bundle, save it with its report."""
    paths = program.arguments(
        __doc__,
        data="the frames",
        data_dvc="the file that holds the data's hash",
        manifest="the clean manifest",
        quarantine="list of quarantined files",
        issues="ranked label issues",
        folds="the fold of each view",
        split_metrics="metrics of the split: leakage price and shortcut audit",
        crops="folder of the crops and the locator",
        classifier="folder of the classifier",
        cam="folder of the CAM recipe",
        anomaly="folder of the anomaly model",
        run="file with the MLflow run's id",
        out="folder for the bundle",
        report="folder for the report",
        metrics="file for the metrics",
    )
    line, params = program.params(line=Line, assemble=AssembleParams)
    views = with_folds(read_table(paths.manifest), read_table(paths.folds))
    trained = load_trained(paths)

    folder = paths.out.with_name(f".{paths.out.name}.incoming")
    shutil.rmtree(folder, ignore_errors=True)
    card = export_graphs(trained, line, folder)
    inspector = open_inspector(folder, card)
    val = views[views["fold"] == "val"]
    seen, _ = see_parts(inspector, val, paths.data)
    view_labels = dict(zip(val["path"], val["label"], strict=True))
    card, claim = decided(card, seen, view_labels, params.costs, params.max_escape_rate)
    if not claim["n_defective"]:
        program.log.warning(
            "val: no defective part, so nothing says what a threshold costs: all but what looks as "
            "normal as the normals of val goes to review; add defective parts, three of a class"
        )
    parity = golden_parity(
        trained, paths.crops, line, card, folder, params.golden_crops
    )
    parity |= locator_parity(trained, card, folder, some_frames(val, paths.data, line))
    require_parity(parity, tolerance=params.parity_tolerance)

    test = views[views["fold"] == "test"]
    parts, seconds = see_parts(inspector, test, paths.data)
    table = outcomes.outcomes(parts, labels_of_parts(test, line.normal), card)
    metrics = outcomes.test_metrics(table, line, params.costs) | {
        "claim": claim,
        "cam": cam_truth(parts, card, load_crops(paths.crops, line.classify)),
        "parity": {name: report.as_json() for name, report in parity.items()},
    }
    card = card.model_copy(
        update={
            "metrics": metrics,
            "parity": metrics["parity"],
            "lineage": lineage(paths),
        }
    )

    card = write_card(folder, card)
    replace_folder(folder, paths.out)
    ms_per_part = 1000 * seconds / max(1, len(parts))
    write_table(paths.report / "test_parts.csv", table)
    write_table(paths.report / "confusion.csv", outcomes.confusion_rows(table, line))
    write_text(
        paths.report / "index.html",
        render_report(paths, card, table, parts, ms_per_part),
    )
    program.save_metrics(paths.metrics, metrics | {"ms_per_part": ms_per_part})
    _log_totals(metrics["totals"])


def see_parts(
    inspector: Inspector, views: pd.DataFrame, data: Path
) -> tuple[outcomes.Parts, float]:
    """What the deployed graphs see in the files as they came, by part, and the seconds it took."""
    began = time.perf_counter()
    seen = [
        inspector.see(View(row.path, (data / row.path).read_bytes()))
        for row in tqdm(list(views.itertuples()), desc="inspect", disable=None)
    ]
    seconds = time.perf_counter() - began
    return outcomes.group_by_part(seen, views["part_id"].tolist()), seconds


def some_frames(views: pd.DataFrame, data: Path, line: Line) -> Iterator[Image]:
    """A few frames, drawn evenly from the table."""
    rows = np.unique(
        np.linspace(0, len(views) - 1, N_GOLDEN_FRAMES).round().astype(int)
    )
    for path in views["path"].iloc[rows]:
        yield read_frame(data / path, channels=line.channels, bit_depth=line.bit_depth)


def _log_totals(found: dict[str, Any]) -> None:
    program.log.info(
        "test fold: %d escapes of %d defective parts (95 %% bound %.3f), %d of %d normal parts "
        "rejected, %d of %d reviewed",
        found["escapes"],
        found["n_defective"],
        found["escape_upper_bound"],
        found["overkill"],
        found["n_normal"],
        found["reviewed"],
        found["n_parts"],
    )


if __name__ == "__main__":
    program.run("assemble", main)
