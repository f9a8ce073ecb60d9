"""The graphs of a bundle: what was trained, exported, and the card that describes it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.line import Line
from inspection.models.anomaly import AnomalyModel, load_anomaly_model
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import load_classifier
from inspection.models.export import export_anomaly, export_classifier, export_locator
from inspection.models.locator import Locator
from inspection.runtime.bundle import (
    BEYOND,
    CARD,
    SCHEMA_VERSION,
    AnomalyCard,
    Card,
    ClassifierCard,
    HeatScale,
    LocatorCard,
    Thresholds,
)
from inspection.runtime.inspector import Inspector
from inspection.storage import read_json, sha256_of, write_json

NOT_YET = Thresholds(accept_below=BEYOND, reject_above=BEYOND)


@dataclass(frozen=True)
class Trained:
    """What was trained, in torch: the reference that every exported graph is held against."""

    classifier: ClassifierWithHeat
    anomaly: AnomalyModel
    locator: Locator | None
    locator_settings: dict[str, Any]
    recipe: dict[str, Any]
    calibration: dict[str, Any]


def load_trained(paths: Any) -> Trained:
    """Load classifier, CAM recipe and anomaly model from their stages' folders."""
    classifier = load_classifier(paths.classifier)
    recipe = read_json(paths.cam / "recipe.json")
    settings_file = paths.crops / "locator.json"
    settings = read_json(settings_file) if settings_file.exists() else {}
    return Trained(
        classifier=ClassifierWithHeat(classifier, recipe["method"]),
        anomaly=load_anomaly_model(paths.anomaly, classifier),
        locator=_load_locator(paths.crops, settings),
        locator_settings=settings,
        recipe=recipe,
        calibration=read_json(paths.anomaly / "calibration.json"),
    )


def export_graphs(trained: Trained, line: Line, folder: Path) -> Card:
    """Write the graphs into `folder`; the card's temperature and thresholds are still to be set."""
    export_classifier(trained.classifier, folder / "classifier.onnx")
    export_anomaly(trained.anomaly, folder / "anomaly.onnx")
    recipe, calibration = trained.recipe, trained.calibration
    return Card(
        schema_version=SCHEMA_VERSION,
        version="",
        line=line,
        locator=_export_locator(trained, folder),
        classifier=ClassifierCard(
            file="classifier.onnx",
            classes=trained.classifier.model.architecture.classes,
            temperature=1.0,
            thresholds=NOT_YET,
            heat=HeatScale(**{name: recipe[name] for name in HeatScale.model_fields}),
            recipe=recipe,
        ),
        anomaly=AnomalyCard(
            file="anomaly.onnx",
            mean=calibration["mean"],
            std=calibration["std"],
            thresholds=NOT_YET,
            heat=HeatScale(**calibration["heat"]),
            evidence=calibration["evidence"],
        ),
        costs={},
        metrics={},
        parity={},
        lineage={},
        files={},
    )


def write_card(folder: Path, card: Card) -> Card:
    """Write the card with the hash of every graph that lies beside it; returns it as written.

    The version names what decides: graphs, geometry, temperature, scales and thresholds. The same
    decisions have the same version, whenever and from whichever revision they were made.
    """
    files = {path.name: sha256_of(path) for path in sorted(folder.glob("*.onnx"))}
    card = card.model_copy(update={"files": files})
    deciding = card.model_dump_json(
        include={"files", "line", "locator", "classifier", "anomaly"}
    )
    version = hashlib.sha256(deciding.encode("utf-8")).hexdigest()[:12]
    card = card.model_copy(update={"version": version})
    write_json(folder / CARD, card.model_dump(mode="json"))
    return card


def open_inspector(folder: Path, card: Card) -> Inspector:
    """The inspector that serving will run, on the graphs in `folder`."""
    write_card(folder, card)
    return Inspector(folder, threads=os.cpu_count() or 1)


def _load_locator(crops: Path, settings: dict[str, Any]) -> Locator | None:
    if not settings:
        return None
    from safetensors.torch import load_file

    model = Locator(len(settings["regions"]))
    model.load_state_dict(load_file(crops / "locator.safetensors"))
    return model.eval()


def _export_locator(trained: Trained, folder: Path) -> LocatorCard | None:
    if trained.locator is None:
        return None
    known = trained.locator_settings
    export_locator(trained.locator, tuple(known["size_px"]), folder / "locator.onnx")
    return LocatorCard(file="locator.onnx", **known)
