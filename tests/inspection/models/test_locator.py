from typing import Any

import numpy as np
import pytest
import torch

from inspection.geometry import (
    Box,
    box_from_mask,
    coverage,
    intersection_over_union,
    locator_input,
)
from inspection.models.locator import (
    STRIDE,
    Locator,
    RegionLocator,
    _augmented,
    _optimiser,
    fit_locator,
    locate,
)

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


def test_maps_are_by_region_of_any_frame_and_on_a_quarter_of_the_shrunken_grid() -> None:
    model = Locator(2).eval()
    finder = RegionLocator(("rod", "rivet"), FRAME_PX, lambda frames: locate(model, frames))
    frame = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    maps = finder.maps(frame)
    expected = locate(model, locator_input(frame, FRAME_PX)[None])[0]
    assert list(maps) == ["rod", "rivet"]
    assert STRIDE == FRAME_PX[0] // maps["rod"].shape[1] == FRAME_PX[1] // maps["rod"].shape[0]
    np.testing.assert_array_equal(np.stack(list(maps.values())), expected)


def test_weights_of_earlier_bundles_fit() -> None:
    shapes = [tuple(value.shape[:2]) for value in Locator(2).parameters() if value.ndim == 4]
    assert shapes == [(16, 1), (24, 16), (32, 24), (32, 32), (32, 32), (24, 32), (2, 24)]


def test_a_frame_of_usual_contrast_reaches_the_network_with_unit_spread() -> None:
    model = Locator(1).eval()
    given: list[torch.Tensor] = []
    model.body.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    frame = np.full((1, 48, 64), 64, np.uint8)
    frame[:, :, 32:] = 64 + 127  # a spread of a quarter of 0..255
    locate(model, frame)
    assert float(given[0].std()) == pytest.approx(1, abs=0.01)
    assert float(given[0].mean()) == pytest.approx(0, abs=1e-5)


def augmentations(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Frames of grey 100 with their first pixel at 0, and targets alike, after augmenting each."""
    frame = np.full((1, 8, 8), 100, np.uint8)
    frame[0, 0, 0] = 0
    generator = torch.Generator().manual_seed(0)
    drawn = [
        _augmented(frame, (frame[:, None] == 0).astype(np.float32), generator) for _ in range(n)
    ]
    images, targets = zip(*drawn, strict=True)
    return torch.cat(images)[:, 0].numpy(), torch.cat(targets)[:, 0].numpy()


def test_brightness_is_changed_by_factors_from_six_tenths_to_one_and_a_half() -> None:
    images, _ = augmentations()
    factors = images.max(axis=(1, 2)) / 100
    assert factors.min() == pytest.approx(0.6, abs=0.02)
    assert factors.max() == pytest.approx(1.5, abs=0.02)


def test_each_corner_is_as_frequent_as_the_others_and_the_target_goes_along() -> None:
    images, targets = augmentations()
    np.testing.assert_array_equal(images == 0, targets == 1)
    corners = (images == 0).sum(axis=0)
    assert corners.sum() == 400
    for share in (corners[0] / 400, corners[:, 0] / 400):
        assert share.sum() == pytest.approx(0.5, abs=0.05)


def test_weights_decay_as_in_the_training_of_the_reference_line() -> None:
    assert _optimiser(Locator(1), 0.01).param_groups[0]["weight_decay"] == 1e-4
