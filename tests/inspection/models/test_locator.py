from typing import Any

import numpy as np
import pytest
import torch

from inspection.geometry import Box, box_from_mask, coverage, intersection_over_union
from inspection.models.locator import Locator, fit_locator, locate

FRAME_PX = (64, 48)
CELLS = (16, 12)


def draw(seed: int) -> tuple[np.ndarray, Box]:
    """A noisy dark frame (48, 64) with one lighter rectangle."""
    generator = np.random.default_rng(seed)
    frame = generator.integers(0, 40, FRAME_PX[::-1]).astype(np.uint8)
    width, height = generator.integers(16, 33), generator.integers(12, 25)
    x, y = generator.integers(2, 62 - width), generator.integers(2, 46 - height)
    frame[y : y + height, x : x + width] += 130
    return frame, Box(x, y, width, height)


def drawn(seeds: range) -> tuple[np.ndarray, np.ndarray, list[Box]]:
    frames, boxes = zip(*map(draw, seeds), strict=True)
    targets = np.stack([coverage([box], CELLS, FRAME_PX)[None] for box in boxes])
    return np.stack(frames), targets, list(boxes)


def fitted(frames: Any, targets: Any, *, epochs: int = 14, progress: Any = None) -> Locator:
    return fit_locator(
        frames,
        targets,
        epochs=epochs,
        learning_rate=0.02,
        batch_size=8,
        seed=0,
        progress=progress or (lambda epoch, loss: None),
    )


def overlaps(maps: np.ndarray, boxes: list[Box]) -> list[float]:
    found = [box_from_mask(probability, FRAME_PX) for probability in maps]
    return [
        intersection_over_union(one[0], box) if one else 0.0
        for one, box in zip(found, boxes, strict=True)
    ]


def test_it_finds_rectangles_in_frames_it_has_not_seen() -> None:
    losses: list[float] = []
    frames, targets, _ = drawn(range(24))
    targets = np.concatenate([targets, np.full_like(targets, np.nan)], axis=1)
    targets[::2, 1] = targets[::2, 0]
    model = fitted(frames, targets, progress=lambda _, loss: losses.append(loss))
    unseen, _, boxes = drawn(range(100, 110))
    maps = locate(model, unseen)
    assert maps.shape == (10, 2, 12, 16)
    assert np.mean(overlaps(maps[:, 0], boxes)) > 0.8
    assert np.mean(overlaps(maps[:, 1], boxes)) > 0.7  # boxed in every other frame only
    assert losses[-1] < losses[0] / 3


def test_the_same_seed_fits_the_same_locator_and_leaves_the_global_generator_alone() -> None:
    frames, targets, _ = drawn(range(8))
    before = torch.random.get_rng_state()
    one, same = (fitted(frames, targets, epochs=1) for _ in range(2))
    np.testing.assert_array_equal(locate(one, frames), locate(same, frames))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_size_of_the_mini_batch_changes_nothing() -> None:
    frames, _, _ = drawn(range(5))
    model = Locator(1).eval()
    np.testing.assert_allclose(
        locate(model, frames, batch_size=2), locate(model, frames), atol=1e-6
    )


@pytest.mark.parametrize("dimming", [0, 30])
def test_an_even_lamp_does_not_count(dimming: int) -> None:
    frames = np.stack([draw(0)[0] // 2 + 40])
    model = Locator(1).eval()
    np.testing.assert_allclose(locate(model, frames - dimming), locate(model, frames), atol=1e-5)
