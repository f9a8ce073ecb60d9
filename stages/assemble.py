"""Assemble the bundle: export, check parity, set thresholds on val, and read the test fold once."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from tqdm import tqdm

from inspection.curation.folds import HELD_BACK, with_folds
from inspection.evaluation import metrics as outcomes
from inspection.evaluation.calibration import calibrate
from inspection.evaluation.cam_truth import cam_truth
from inspection.evaluation.classification import confusion_rows
from inspection.evaluation.doubtful import (
    Evidence,
    claim_if_mended,
    hardest_parts,
    named,
    suspects,
)
from inspection.evaluation.golden.frames import golden_frames, require_same_crops
from inspection.evaluation.matched import matched_measures
from inspection.evaluation.operating_point import (
    operating_point,
    truth_of,
)
from inspection.evaluation.part_scores import (
    Parts,
    group_by_part,
    out_of_fold_parts,
    read_out_of_fold,
)
from inspection.evaluation.threshold_study import simulated
from inspection.evaluation.worst_views import pictures, save_pictures
from inspection.geometry import Image
from inspection.images import read_frame
from inspection.line import Line
from inspection.models.crops import evenly_spaced, load_crops
from inspection.parts import labels_of_parts
from inspection.runtime.bundle import Card, ModelSet, Settings, write_card
from inspection.runtime.detectors import (
    CLASSIFIER,
    Calibration,
    HeatScale,
    StandardScore,
    detector_folders,
)
from inspection.runtime.inspector import Measurement
from inspection.runtime.views import View
from inspection.storage import (
    read_table,
    replace_folder,
    sha256_of,
    write_table,
)
from stages import program, sections
from stages.exported import Trained, export_models, load_trained
from stages.golden import checked_parity
from stages.lineage import lineage, origin_of
from stages.params.assemble import AssembleParams

# The locator is small and its maps are coarse: a few frames of each camera tell.
N_GOLDEN_FRAMES = 16


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    data: Annotated[Path, "the frames"]
    data_dvc: Annotated[Path, "the file that holds the data's hash"]
    manifest: Annotated[Path, "the clean manifest"]
    folds: Annotated[Path, "the fold of each view"]
    shortcuts: Annotated[Path, "the circumstances that tell a class, by view"]
    crops: Annotated[Path, "folder of the crops and the locator"]
    classifier: Annotated[Path, "folder of the classifier"]
    cam: Annotated[Path, "folder of the CAM recipe"]
    anomaly: Annotated[Path, "folder of the anomaly model"]
    run: Annotated[Path, "file with the MLflow run's id"]
    out: Annotated[Path, "folder for the bundle"]
    test_fold: Annotated[Path, "folder for what was measured on the test fold"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load what was trained, assemble and measure the bundle, save it with what it showed."""
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.section("line", Line), sections.section("assemble", AssembleParams)
    )
    views = with_folds(read_table(paths.manifest), read_table(paths.folds))
    trained = load_trained(
        line,
        classifier=paths.classifier,
        cam=paths.cam,
        anomaly=paths.anomaly,
        crops=paths.crops,
    )

    # made beside its place: a run that is killed leaves the last bundle whole
    folder = paths.out.with_name(f".{paths.out.name}.incoming")
    shutil.rmtree(folder, ignore_errors=True)
    models = export_models(trained, line, folder)
    measurement = Measurement(folder, models, threads=os.cpu_count() or 1)

    val = views[views["fold"] == "val"]
    parts = measured(measurement, val, paths.data)
    crops = {region: load_crops(paths.crops, region) for region in line.regions}
    val_crops = {region: some.in_fold("val") for region, some in crops.items()}
    # thresholds are set on what the service crops, models were trained on what stage crop cut
    require_same_crops(golden_frames(val_crops), parts)

    evidence = gathered_evidence(views, parts, line, paths)
    settings, costs, limit = settled(trained, models, evidence, parts, params)
    if not limit["n_defective"]:
        program.log.warning(
            "no defective part outside of test, so nothing says what a threshold costs: all but "
            "what looks as normal as the normal parts goes to review; add defective parts, three "
            "of a class"
        )
    parity = checked_parity(
        trained,
        settings,
        folder,
        val_crops,
        some_frames(val, paths.data, line),
        n_crops=params.golden_crops,
        tolerance=params.parity_tolerance,
    )

    # only now, when nothing is left to choose
    test = views[views["fold"].isin(HELD_BACK)]
    parts = measured(measurement, test, paths.data)
    table = outcomes.outcomes(parts, labels_of_parts(test, line.normal), settings)
    metrics = outcomes.test_metrics(table, settings, params.costs) | {
        "matched": matched_measures(table, read_table(paths.shortcuts), line.normal),
        "limit": limit,
        "cam": cam_truth(parts, settings, crops[line.classify]),
        "parity": {name: report.as_json() for name, report in parity.items()},
    }

    backbone = origin_of(trained.classifier.model.architecture)
    origin = lineage(data_dvc=paths.data_dvc, run=paths.run) | {"backbone": backbone}
    card = Card.of_settings(
        settings,
        files={path.name: sha256_of(path) for path in folder.glob("*.onnx")},
        costs=costs,
        metrics=metrics,
        parity=metrics["parity"],
        lineage=origin,
    )
    write_card(folder, card)
    replace_folder(folder, paths.out)
    write_table(paths.test_fold / "parts.csv", table)
    write_table(paths.test_fold / "confusion.csv", confusion_rows(table, line))
    worst = pictures(table, parts, settings)
    save_pictures(paths.test_fold / "pictures.npz", worst)
    program.save_metrics(paths.metrics, metrics)
    _log_totals(metrics["totals"])
    if not metrics["cost"]["beats_review_all"]:
        program.log.warning("%s", metrics["cost"]["sentence"])


def gathered_evidence(
    views: pd.DataFrame, val_parts: Parts, line: Line, paths: Paths
) -> Evidence:
    """The scores out of fold where all detectors have such, or else what was measured of val."""
    folders = detector_folders(line, classifier=paths.classifier, anomaly=paths.anomaly)
    tables = {name: read_out_of_fold(folder) for name, folder in folders.items()}
    known = {name: table for name, table in tables.items() if table is not None}
    # a part's score is fused from all detectors, so one of them out of fold is not enough
    if len(known) < len(tables):
        return Evidence(val_parts, _labels(views[views["fold"] == "val"]), "val")

    seen = views[~views["fold"].isin(HELD_BACK)]
    return Evidence(out_of_fold_parts(seen, known), _labels(seen), "out_of_fold")


def _labels(views: pd.DataFrame) -> dict[str, str]:
    return dict(zip(views["path"], views["label"], strict=True))


def settled(
    trained: Trained,
    models: ModelSet,
    evidence: Evidence,
    val_parts: Parts,
    params: AssembleParams,
) -> tuple[Settings, dict[str, Any], dict[str, Any]]:
    """What the evidence decides: the settings, what they cost, how far they keep to the limit."""
    temperature, error = calibrate(evidence.parts, evidence.labels, models)
    calibrations: dict[str, Calibration] = {
        CLASSIFIER: temperature,
        **{
            name: StandardScore(mean=known["mean"], std=known["std"])
            for name, known in trained.calibrations.items()
        },
    }
    point = operating_point(
        evidence.parts,
        truth_of(evidence.parts, evidence.labels, models),
        calibrations,
        params.costs,
        params.max_escape_rate,
        unusual_rate=params.unusual_rate,
        tolerance=params.parity_tolerance,
        also_measured=val_parts,
        names_hardest=True,
    )

    recipe = trained.recipe
    in_recipe = {key: recipe[key] for key in HeatScale.model_fields}
    heat = {CLASSIFIER: HeatScale(**in_recipe)}
    chosen = {CLASSIFIER: recipe}
    for name, known in trained.calibrations.items():
        heat[name] = HeatScale(**known["heat"])
        chosen[name] = known["evidence"]
    settings = Settings.of(
        models,
        calibrations=calibrations,
        fusion=point.fusion,
        thresholds=point.thresholds,
        heat=heat,
        evidence=chosen,
    )

    costs = params.costs.model_dump() | {
        "expected_cost_on_val": point.expected_cost,
        "calibration_error_on_val": error,
    }
    limit = point.limit.as_json() | {
        "evidence": evidence.source,
        "n_parts": len(evidence.parts),
        "rests_on": rests_on(evidence, point.limit.n_defective),
    }
    limit["hardest"] = hardest_parts(point, evidence)
    found = suspects(point, evidence, settings)
    limit["suspects"] = named(found)
    limit["if_mended"] = claim_if_mended(point.limit, found)
    limit["simulated"] = simulated(point.limit.n_defective, params.max_escape_rate)
    return settings, costs, limit


def rests_on(evidence: Evidence, n_defective: int) -> str:
    """What the thresholds rest on, in words, for card, summary and report alike."""
    by = (
        "each judged by models that have not seen it"
        if evidence.source == "out_of_fold"
        else "those of val"
    )
    return f"thresholds rest on {len(evidence.parts)} parts, {n_defective} of them defective, {by}"


def measured(measurement: Measurement, views: pd.DataFrame, data: Path) -> Parts:
    """What the exported models measure in the files as they came, by part."""
    outputs = [
        measurement.measure(View(row.path, (data / row.path).read_bytes()))
        for row in tqdm(list(views.itertuples()), desc="inspect", disable=None)
    ]
    return group_by_part(outputs, views["part_id"].tolist())


def some_frames(views: pd.DataFrame, data: Path, line: Line) -> Iterator[Image]:
    """A few frames, drawn evenly from the table."""
    rows = evenly_spaced(len(views), N_GOLDEN_FRAMES)
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
