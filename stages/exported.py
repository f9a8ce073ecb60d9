"""What was trained, in torch, and the ONNX models that it is exported to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.line import Line
from inspection.models.anomaly import AnomalyModel, load_anomaly_model
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import load_classifier
from inspection.models.export import (
    export_anomaly,
    export_classifier,
    export_locator,
    export_shared,
    share_a_trunk,
)
from inspection.models.locator import Locator
from inspection.runtime.bundle import LocatorCard, ModelSet
from inspection.runtime.detectors import ANOMALY, CLASSIFIER, DetectorModel
from inspection.storage import read_json

LOCATOR_FILE = "locator.onnx"


@dataclass(frozen=True)
class Trained:
    """What was trained, in torch: the reference that every exported model is held against.

    `recipe` is the CAM recipe with the classifier's heat scale; `calibration` is the anomaly
    model's, with its heat scale and evidence.
    """

    classifier: ClassifierWithHeat
    anomaly: AnomalyModel
    locator: Locator | None
    locator_settings: dict[str, Any]
    recipe: dict[str, Any]
    calibration: dict[str, Any]


def load_trained(*, classifier: Path, cam: Path, anomaly: Path, crops: Path) -> Trained:
    """Load classifier, CAM recipe, anomaly model and locator from their stages' folders."""
    model = load_classifier(classifier)
    recipe = read_json(cam / "recipe.json")
    settings_file = crops / "locator.json"
    settings = read_json(settings_file) if settings_file.exists() else {}
    return Trained(
        classifier=ClassifierWithHeat(model, recipe["method"]),
        anomaly=load_anomaly_model(anomaly, model),
        locator=_load_locator(crops, settings),
        locator_settings=settings,
        recipe=recipe,
        calibration=read_json(anomaly / "calibration.json"),
    )


def export_models(trained: Trained, line: Line, folder: Path) -> ModelSet:
    """Write the ONNX models into `folder`.

    Two detectors that show the same crop to the same backbone become one model.
    """
    classes = trained.classifier.model.architecture.classes
    classifier = DetectorModel(
        file="classifier.onnx", region=line.classify, classes=classes
    )
    anomaly = DetectorModel(file="anomaly.onnx", region=line.detect_anomalies)
    one_region = line.classify == line.detect_anomalies
    if one_region and share_a_trunk(trained.classifier, trained.anomaly):
        shared = {"file": "detectors.onnx"}
        classifier = classifier.model_copy(update=shared)
        anomaly = anomaly.model_copy(update=shared | {"outputs": (2, 3)})
        export_shared(trained.classifier, trained.anomaly, folder / classifier.file)
    else:
        export_classifier(trained.classifier, folder / classifier.file)
        export_anomaly(trained.anomaly, folder / anomaly.file)
    return ModelSet(
        line=line,
        locator=_export_locator(trained, folder),
        detectors={CLASSIFIER: classifier, ANOMALY: anomaly},
    )


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

    card = LocatorCard(file=LOCATOR_FILE, **trained.locator_settings)
    export_locator(trained.locator, card.size_px, folder / card.file)
    return card
