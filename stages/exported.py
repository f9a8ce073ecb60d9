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
from inspection.runtime.detectors import (
    CLASSIFIER,
    DetectorModel,
    anomaly_regions,
)
from inspection.storage import read_json

LOCATOR_FILE = "locator.onnx"


@dataclass(frozen=True)
class Trained:
    """What was trained, in torch: the reference that every exported model is held against.

    `recipe` is the CAM recipe with the classifier's heat scale. `anomalies` are the anomaly models
    by detector, `calibrations` theirs, with heat scale and evidence.
    """

    classifier: ClassifierWithHeat
    anomalies: dict[str, AnomalyModel]
    locator: Locator | None
    locator_settings: dict[str, Any]
    recipe: dict[str, Any]
    calibrations: dict[str, dict[str, Any]]


def load_trained(
    line: Line, *, classifier: Path, cam: Path, anomaly: Path, crops: Path
) -> Trained:
    """Load classifier, CAM recipe, anomaly models and locator from their stages' folders."""
    model = load_classifier(classifier)
    recipe = read_json(cam / "recipe.json")
    settings_file = crops / "locator.json"
    settings = read_json(settings_file) if settings_file.exists() else {}
    folders = {
        detector: anomaly / region for detector, region in anomaly_regions(line).items()
    }
    return Trained(
        classifier=ClassifierWithHeat(model, recipe["method"]),
        anomalies={
            detector: load_anomaly_model(folder, model)
            for detector, folder in folders.items()
        },
        locator=_load_locator(crops, settings),
        locator_settings=settings,
        recipe=recipe,
        calibrations={
            detector: read_json(folder / "calibration.json")
            for detector, folder in folders.items()
        },
    )


def export_models(trained: Trained, line: Line, folder: Path) -> ModelSet:
    """Write the ONNX models into `folder`.

    An anomaly model that shows the same crop to the same backbone as the classifier becomes one
    model with it.
    """
    classes = trained.classifier.model.architecture.classes
    classifier = DetectorModel(
        file="classifier.onnx", region=line.classify, classes=classes
    )
    detectors = {CLASSIFIER: classifier}
    for name, region in anomaly_regions(line).items():
        model = trained.anomalies[name]
        detector = DetectorModel(file=f"{name}.onnx", region=region)
        if region == line.classify and share_a_trunk(trained.classifier, model):
            # the backbone, which takes most of the time, then runs once for both
            shared = {"file": "detectors.onnx"}
            detectors[CLASSIFIER] = classifier.model_copy(update=shared)
            # outputs 0 and 1 are the classifier's
            detector = detector.model_copy(update=shared | {"outputs": (2, 3)})
            export_shared(trained.classifier, model, folder / detector.file)
        else:
            export_anomaly(model, folder / detector.file)
        detectors[name] = detector

    # nobody shares with it, so it has no file yet
    if detectors[CLASSIFIER] is classifier:
        export_classifier(trained.classifier, folder / classifier.file)
    return ModelSet(
        line=line, locator=_export_locator(trained, folder), detectors=detectors
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
