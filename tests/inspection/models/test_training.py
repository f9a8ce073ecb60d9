import os
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load

from inspection.errors import InspectionError
from inspection.models.augmentations import build_augmentation
from inspection.models.training import (
    ClassifierTraining,
    CropDataset,
    _trainer,
    fit_classifier,
)
from tests.networks import SCHEDULE, Trained, tiny_classifier
from tests.squares import CLASSES, draw_crops

BRIGHT = 1


def test_training_finds_the_squares_and_reports_every_epoch(trained: Trained) -> None:
    assert trained.history[trained.best_epoch]["val_macro_f1"] == 1.0
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"] / 2
    assert trained.reported == list(range(len(trained.history)))


def test_the_weights_of_the_best_epoch_are_kept(trained: Trained) -> None:
    scores = [row["val_score"] for row in trained.history]
    assert trained.best_epoch == scores.index(max(scores))
    with torch.no_grad():
        logits = trained.model(torch.from_numpy(trained.val.images).permute(0, 3, 1, 2))
    labels = torch.tensor([CLASSES.index(label) for label in trained.val.index["label"]])
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    assert loss == pytest.approx(trained.history[trained.best_epoch]["val_loss"], rel=1e-3)
    assert (logits.argmax(1) == labels).all()


def test_a_trained_model_is_ready_to_predict(trained: Trained) -> None:
    assert not trained.model.training
    assert {p.device.type for p in trained.model.parameters()} == {"cpu"}


def test_an_example_is_the_crop_its_class_and_its_place() -> None:
    crops = draw_crops(1)
    crops.index.loc[2, "target"] = "unknown"
    dataset = CropDataset(crops, CLASSES)
    bright = dataset[2]
    assert len(dataset) == 6
    assert bright["image"].shape == (1, 32, 64)
    assert bright["label"] == BRIGHT
    assert not bright["known"]
    assert dataset[3]["known"]
    np.testing.assert_array_equal(bright["target"], crops.targets[2] / 255)


def test_a_pasted_defect_lies_on_a_normal_crop_and_keeps_its_class() -> None:
    crops = draw_crops(1)
    crops.images[:2] = 100
    pasted = CropDataset(crops, CLASSES, paste_probability=1.0)[2]
    covered = np.kron(pasted["target"] > 0, np.ones((4, 4))) > 0
    assert covered.sum() == 64
    image = pasted["image"][0].numpy()
    assert image[covered].mean() > 180
    assert np.median(image) == 100
    assert pasted["label"] == BRIGHT


def test_normal_crops_and_defects_of_unknown_place_are_never_pasted() -> None:
    crops = draw_crops(1)
    crops.targets[2] = 0
    dataset = CropDataset(crops, CLASSES, paste_probability=1.0)
    for row in (0, 2):
        np.testing.assert_array_equal(dataset[row]["image"][0], crops.images[row, :, :, 0])


def test_examples_are_augmented_with_their_place() -> None:
    dataset = CropDataset(draw_crops(1), CLASSES, build_augmentation("flip", seed=0))
    for _ in range(6):
        example = dataset[2]
        bright = example["image"][0].numpy() > 200
        covered = np.kron(example["target"] > 0, np.ones((4, 4))) > 0
        np.testing.assert_array_equal(bright, covered)


def train_few(n_steps: int, **changes: object) -> list[dict[str, float]]:
    """Train on six crops, two a step, for so many steps; returns the epochs' numbers."""
    schedule = replace(SCHEDULE, epochs=max(1, n_steps // 3), batch_size=2, balance="none")
    val = draw_crops(1, fold="val")
    on_epoch: Any = changes.pop("on_epoch", lambda number, row: None)
    keep: Any = changes.pop("keep", None)
    return fit_classifier(
        tiny_classifier().train(),
        draw_crops(1),
        val.rows([0, 1]) if changes.pop("one_class", False) else val,
        replace(schedule, **changes),  # type: ignore[arg-type]
        augment=lambda image, target: (image, target),
        on_epoch=on_epoch,
        show_progress=False,
        keep=keep,
    )[1]


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("n_steps", [3, 6])
def test_every_precision_trains_and_few_steps_do_too(precision: str, n_steps: int) -> None:
    history = train_few(n_steps, precision=precision)
    assert np.isfinite([row["train_loss"] for row in history]).all()


def test_the_weights_of_every_epoch_are_handed_on_and_change_none_of_its_numbers() -> None:
    kept: dict[int, bytes] = {}
    reported: list[int] = []
    history = train_few(
        9, keep=kept.__setitem__, on_epoch=lambda number, _: reported.append(number)
    )
    assert list(kept) == reported == [0, 1, 2]
    assert len(set(kept.values())) == 3
    assert set(load(kept[2])) == set(tiny_classifier().state_dict())
    assert history == train_few(9)


def test_a_training_that_is_told_to_end_does_not_end_as_if_it_were_done() -> None:
    """Lightning would end the process with status 0."""

    def tell(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        train_few(9, on_epoch=tell)
    assert caught.value.code == 128 + 15


def test_a_training_that_diverges_is_told_with_the_remedy() -> None:
    with pytest.raises(InspectionError, match=r"diverged in epoch \d+.*lower train.learning_rate"):
        train_few(30, learning_rate=1e30)


def test_where_val_holds_one_class_alone_the_last_epoch_is_the_best() -> None:
    scores = [row["val_score"] for row in train_few(12, one_class=True)]
    assert scores == [0, 1, 2, 3]


def test_ties_of_parts_are_broken_by_a_thousandth_of_the_loss(trained: Trained) -> None:
    for row in trained.history:
        expected = row["val_macro_f1"] - 0.001 * row["val_loss"]
        assert row["val_score"] == pytest.approx(expected, abs=1e-12)


class SoManySteps:
    """What a training asks of its trainer."""

    def __init__(self, n: int) -> None:
        self.estimated_stepping_batches = n


def optimisers_for(n_steps: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ClassifierTraining, "trainer", SoManySteps(n_steps))
    training = ClassifierTraining(tiny_classifier(), SCHEDULE, draw_crops(1), torch.ones(3))
    return training.configure_optimizers()


def test_the_learning_rate_goes_through_a_cycle_from_ten_steps_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(optimisers_for(9, monkeypatch), torch.optim.Optimizer)
    assert "lr_scheduler" in optimisers_for(10, monkeypatch)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_learning_rate_rises_for_a_fifth_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = optimisers_for(100, monkeypatch)["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(99):
        rates.append(cycle.get_last_lr()[0])
        cycle.step()
    assert np.argmax(rates) == 19


def test_gradients_are_scaled_down_to_a_norm_of_one() -> None:
    assert _trainer(SCHEDULE, [], show_progress=False).gradient_clip_val == 1
