"""Every kind of backbone that the README names, on drawn squares: `make backbones`, some minutes.

Networks of their usual width where that takes seconds, narrower ones of the same kind where not.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from inspection.models.augmentations import build_augmentation
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import DefectClassifier
from inspection.models.crops import Crops
from inspection.models.export import export_classifier
from inspection.models.training import fit_classifier
from inspection.runtime.sessions import OnnxSession
from tests.networks import SCHEDULE, tiny_classifier
from tests.squares import CLASSES, draw_crops

BACKBONES: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "resnet50": {},
    "mobilenetv2_100": {},
    "mobilenetv3_small_100": {},
    "tf_efficientnet_lite0": {},
    "tf_efficientnet_lite1": {},
    "tf_efficientnet_lite2": {},
    "convnext_atto": {},
    "swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": (1, 1, 2, 1)},
    "vit_small_patch16_224": {"embed_dim": 96, "depth": 3, "num_heads": 3},
    "levit_128s": {},
}
pytestmark = pytest.mark.backbones


@dataclass(frozen=True)
class Learned:
    """A classifier that has learned squares, its macro-F1, and the squares that it has not seen."""

    model: DefectClassifier
    macro_f1: float
    squares: Crops

    def heat(self) -> tuple[Any, Any]:
        """The heat (N, h, w) of the class that each defective crop is of, and where it is."""
        labels = self.squares.index["label"].to_numpy()
        rows = np.flatnonzero(labels != CLASSES[0])
        numbers = np.array([CLASSES.index(label) for label in labels[rows]])
        with torch.inference_mode():
            crops = torch.from_numpy(self.squares.images[rows])
            _, heat = ClassifierWithHeat(self.model, "gradcam")(crops)
        return heat.numpy()[np.arange(len(rows)), numbers - 1], self.squares.targets[rows]


@pytest.fixture(scope="module", params=BACKBONES)
def learned(request: pytest.FixtureRequest) -> Learned:
    val = draw_crops(6, fold="val", seed=2)
    # a tenth of the rate of the tiny network: these are deeper
    schedule = replace(SCHEDULE, epochs=4, learning_rate=SCHEDULE.learning_rate / 10)
    model, history, best = fit_classifier(
        tiny_classifier(backbone=request.param, backbone_args=BACKBONES[request.param]).train(),
        draw_crops(20, seed=1),
        val,
        schedule,
        augment=build_augmentation("flip", seed=0),
        on_epoch=lambda number, row: None,
        show_progress=False,
    )
    return Learned(model, history[best]["val_macro_f1"], val)


def test_it_learns(learned: Learned) -> None:
    # chance is a third
    assert learned.macro_f1 > 0.7


def test_its_heat_is_upright_unmirrored_and_hot_where_the_defect_is(learned: Learned) -> None:
    heat, targets = learned.heat()

    def told_apart(maps: Any) -> float:
        """How well heat tells cells of the square from the others, 0.5 is by chance."""
        return float(
            np.mean([roc_auc_score(target.ravel() > 0, one.ravel())
                     for one, target in zip(maps, targets, strict=True)])
        )  # fmt: skip

    found = told_apart(heat)
    assert found > 0.8
    # squares lie anywhere in a crop of 8 x 16 cells, and heat is wider than they are
    for mirrored in (heat[:, ::-1], heat[:, :, ::-1]):
        assert told_apart(mirrored) < found - 0.08


def test_its_graph_says_what_torch_says(learned: Learned, tmp_path: Path) -> None:
    model = ClassifierWithHeat(learned.model, "gradcam").eval()
    export_classifier(model, tmp_path / "classifier.onnx")
    session = OnnxSession(tmp_path / "classifier.onnx")
    crops = learned.squares.images[:6]
    with torch.inference_mode():
        logits, heat = (one.numpy() for one in model(torch.from_numpy(crops)))
    for row, crop in enumerate(crops):
        found = session.run(crop)
        np.testing.assert_allclose(found[0], logits[row], atol=1e-3)
        np.testing.assert_allclose(found[1], heat[row], atol=1e-3 * np.abs(heat).max())
