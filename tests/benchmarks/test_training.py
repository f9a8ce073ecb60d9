import time
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.training import Steps, timed
from inspection.models.augmentations import build_augmentation
from inspection.models.training import ClassifierTraining, CropDataset, training_batches
from tests.networks import SCHEDULE, tiny_classifier
from tests.squares import CLASSES, draw_crops

SLOW_S = 0.01


class SlowDataset(CropDataset):
    """Crops from a disk that takes its time."""

    def __getitem__(self, row: int) -> Any:
        time.sleep(SLOW_S)
        return super().__getitem__(row)


def steps_on(kind: type[CropDataset]) -> Steps:
    crops = draw_crops(8, seed=1)
    examples = kind(crops, CLASSES, build_augmentation("basic", seed=0))
    training = ClassifierTraining(
        tiny_classifier().train(), SCHEDULE, None, torch.ones(len(CLASSES))
    )
    return timed(training, training_batches(examples, SCHEDULE), 6)


def test_time_that_a_batch_takes_to_come_is_not_counted_as_learning() -> None:
    slow = steps_on(SlowDataset)
    assert slow.n_steps == 6
    assert slow.waiting_s >= 6 * SCHEDULE.batch_size * SLOW_S
    assert slow.share < steps_on(CropDataset).share


def test_the_line_tells_milliseconds_and_the_share() -> None:
    said = str(Steps(n_steps=4, waiting_s=0.1, learning_s=0.3))
    assert said.startswith("a training step takes 100.0 ms, 75.0 ms of them")
    assert "0.75 (4 steps" in said


@pytest.mark.parametrize("waiting_s", [0.0, 1.0])
def test_the_share_is_of_the_whole_step(waiting_s: float) -> None:
    assert np.isclose(Steps(1, waiting_s, 1.0).share, 1 / (1 + waiting_s))
