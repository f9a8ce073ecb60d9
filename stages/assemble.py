"""Assemble the bundle: export, check parity, set thresholds on val, and read the test fold once."""

import os
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from inspection import outcomes
from inspection.anomaly import load_anomaly_model
from inspection.bundle import (
    CARD,
    SCHEMA_VERSION,
    AnomalyCard,
    Card,
    ClassifierCard,
    HeatScale,
    LocatorCard,
)
from inspection.calibration import calibration_error, fit_temperature
from inspection.cam import ClassifierWithHeat
from inspection.cam_scores import measures
from inspection.classifier import load_classifier
from inspection.crops import Crops, load_crops
from inspection.export import export_anomaly, export_classifier, export_locator
from inspection.inspector import CHANNELS, Inspector, View
from inspection.line import Line
from inspection.locator import Locator
from inspection.parity import require_parity
from inspection.storage import read_json, read_table, sha256_of, write_json, write_table, write_text
from inspection.verdicts import Costs, Thresholds, choose_thresholds
from stages import program
from stages.golden import golden_parity
from stages.report import render_report

LIBRARIES = ("torch", "timm", "anomalib", "onnxruntime", "albumentations", "grad-cam", "mlflow")
NEVER = Thresholds(accept_below=1e9, reject_above=1e9)


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
    views = read_table(paths.manifest).merge(
        read_table(paths.folds)[["view_id", "fold"]], on="view_id", validate="1:1"
    )
    val, test = views[views["fold"] == "val"], views[views["fold"] == "test"]

    folder = paths.out.with_name(f".{paths.out.name}.incoming")
    shutil.rmtree(folder, ignore_errors=True)
    card = _export(paths, line, folder)
    inspector = _inspector(folder, card)
    val_parts = _see(inspector, val, paths.data)
    card = _calibrated(card, val_parts, val, params)
    val_table = outcomes.outcomes(val_parts, outcomes.labels_by_part(val, line.normal), card)
    parity = golden_parity(paths, line, card, folder, params.golden_crops)
    require_parity(parity, tolerance=params.parity_tolerance)

    began = time.perf_counter()
    test_parts = _see(inspector, test, paths.data)
    seconds = time.perf_counter() - began
    table = outcomes.outcomes(test_parts, outcomes.labels_by_part(test, line.normal), card)
    metrics: dict[str, Any] = {
        "classifier": outcomes.classification(table, line),
        "verdicts": outcomes.verdict_table(table, line),
        "totals": outcomes.totals(table, line),
        "anomaly_auroc": outcomes.anomaly_auroc(table, line),
        "cam": _cam_truth(test_parts, card, load_crops(paths.crops, line.classify)),
        "expected_cost": outcomes.expected_cost(table, line, params.costs),
        "claim": outcomes.claim(val_table, line, params.max_escape_rate),
        "ms_per_part": 1000 * seconds / max(1, len(test_parts)),
        "parity": {name: report.as_json() for name, report in parity.items()},
    }
    card = card.model_copy(
        update={
            "metrics": metrics,
            "parity": metrics["parity"],
            "lineage": _lineage(paths),
            "version": sha256_of(folder / card.classifier.file)[:12],
        }
    )

    _write_card(folder, card)
    _swap(folder, paths.out)
    write_table(paths.report / "test_parts.csv", table)
    write_table(paths.report / "confusion.csv", _confusion_rows(table, line))
    html = render_report(paths, card, table, test_parts)
    write_text(paths.report / "index.html", html)
    program.save_metrics(paths.metrics, metrics)
    _log_totals(metrics)


def _export(paths: Any, line: Line, folder: Path) -> Card:
    """Write the graphs; the card has no thresholds yet: nothing passes or is rejected by it."""
    classifier = load_classifier(paths.classifier)
    recipe = read_json(paths.cam / "recipe.json")
    calibration = read_json(paths.anomaly / "calibration.json")
    export_classifier(ClassifierWithHeat(classifier, recipe["method"]), folder / "classifier.onnx")
    export_anomaly(load_anomaly_model(paths.anomaly, classifier), folder / "anomaly.onnx")
    heat = HeatScale(**{name: recipe[name] for name in HeatScale.model_fields})
    card = Card(
        schema_version=SCHEMA_VERSION,
        version="",
        line=line,
        locator=_export_locator(paths.crops, folder),
        classifier=ClassifierCard(
            file="classifier.onnx",
            classes=classifier.architecture.classes,
            temperature=1.0,
            thresholds=NEVER,
            heat=heat,
            recipe=recipe,
        ),
        anomaly=AnomalyCard(
            file="anomaly.onnx",
            mean=calibration["mean"],
            std=calibration["std"],
            thresholds=NEVER,
            heat=HeatScale(**calibration["heat"]),
            evidence=calibration["evidence"],
        ),
        costs={},
        metrics={},
        parity={},
        lineage={},
        files={},
    )
    return card


def _export_locator(crops: Path, folder: Path) -> LocatorCard | None:
    settings = crops / "locator.json"
    if not settings.exists():
        return None
    from safetensors.torch import load_file

    known = read_json(settings)
    model = Locator(len(known["regions"]))
    model.load_state_dict(load_file(crops / "locator.safetensors"))
    export_locator(model.eval(), tuple(known["size_px"]), folder / "locator.onnx")
    return LocatorCard(file="locator.onnx", **known)


def _inspector(folder: Path, card: Card) -> Inspector:
    _write_card(folder, card)
    return Inspector(folder, threads=os.cpu_count() or 1)


def _see(inspector: Inspector, views: pd.DataFrame, data: Path) -> outcomes.Parts:
    """What the deployed graphs see in the files as they came, by part."""
    seen = [
        inspector.see(View(row.path, (data / row.path).read_bytes()))
        for row in tqdm(list(views.itertuples()), desc="inspect", disable=None)
    ]
    return outcomes.group_by_part(seen, views["part_id"].tolist())


def _calibrated(
    card: Card, parts: outcomes.Parts, val: pd.DataFrame, params: AssembleParams
) -> Card:
    """The card with the temperature and the thresholds of least cost on val."""
    line = card.line
    label_of = dict(zip(val["path"], val["label"], strict=True))
    seen = [view for views in parts.values() for view in views if view.logits is not None]
    numbers = [
        card.classifier.classes.index(line.label_in(line.classify, label_of[view.name]))
        for view in seen
    ]
    temperature = fit_temperature(np.array([view.logits for view in seen]), numbers)
    cooled = card.classifier.model_copy(update={"temperature": temperature})
    card = card.model_copy(update={"classifier": cooled})
    labels = outcomes.labels_by_part(val, line.normal)
    defective = [labels[part] != line.normal for part in parts]
    choice = choose_thresholds(outcomes.channel_scores(parts, card), defective, params.costs)
    limits = dict(zip(CHANNELS, choice.thresholds, strict=True))
    costs = params.costs.model_dump() | {
        "expected_cost_on_val": choice.expected_cost,
        "calibration_error_on_val": calibration_error(
            np.array([view.logits for view in seen]), numbers, temperature
        ),
    }
    return card.model_copy(
        update={
            "classifier": card.classifier.model_copy(update={"thresholds": limits["classifier"]}),
            "anomaly": card.anomaly.model_copy(update={"thresholds": limits["anomaly"]}),
            "costs": costs,
        }
    )


def _cam_truth(parts: outcomes.Parts, card: Card, crops: Crops) -> dict[str, Any]:
    """The deployed heatmap against the labelled place, on truly predicted test defects."""
    row_of = {path: row for row, path in enumerate(crops.index["path"])}
    measured = []
    for seen in (view for views in parts.values() for view in views):
        row = row_of.get(seen.name)
        if row is None or seen.logits is None or seen.raw_heat is None:
            continue
        facts = crops.index.iloc[row]
        number = card.classifier.classes.index(facts["label"])
        if number > 0 and int(seen.logits.argmax()) == number and facts["target"] != "unknown":
            measured.append(measures(seen.raw_heat[number - 1], np.array(crops.targets[row])))
    if not measured:
        return {"n": 0}
    means = pd.DataFrame(measured).mean()
    return {"n": len(measured), **{name: float(value) for name, value in means.items()}}


def _lineage(paths: Any) -> dict[str, Any]:
    return {
        "data": paths.data_dvc.read_text(encoding="utf-8"),
        "git_revision": _git("rev-parse", "HEAD"),
        "git_clean": _git("status", "--porcelain", "--untracked-files=no") == "",
        "mlflow_run": read_json(paths.run)["run_id"],
        "params": program.PARAMS_FILE.read_text(encoding="utf-8"),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _write_card(folder: Path, card: Card) -> None:
    files = {path.name: sha256_of(path) for path in sorted(folder.glob("*.onnx"))}
    write_json(folder / CARD, card.model_copy(update={"files": files}).model_dump(mode="json"))


def _swap(folder: Path, out: Path) -> None:
    """Put the finished folder in the place of the old bundle."""
    shutil.rmtree(out, ignore_errors=True)
    folder.replace(out)


def _confusion_rows(table: pd.DataFrame, line: Line) -> pd.DataFrame:
    actual = [line.label_in(line.classify, label) for label in table["label"]]
    return pd.DataFrame({"actual": actual, "predicted": table["classified"]})


def _log_totals(metrics: dict[str, Any]) -> None:
    found = metrics["totals"]
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
