from __future__ import annotations

import doctest
from collections import Counter

import numpy as np
import pytest

import samples.line
from samples.line import IMAGES_ON_THE_REAL_LINE, Shot, plan_line, share_out


def plan(n_parts: int = 400, seed: int = 0) -> list[Shot]:
    return plan_line(np.random.default_rng(seed), n_parts)


def parts_of(shots: list[Shot]) -> dict[int, str]:
    return {s.part_index: s.label for s in shots}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(samples.line).failed == 0


@pytest.mark.parametrize("total", [5, 6, 30, 97, 400])
def test_shares_add_up_and_leave_no_class_out(total: int) -> None:
    shares = share_out(IMAGES_ON_THE_REAL_LINE, total)
    assert sum(shares.values()) == total
    assert min(shares.values()) >= 1


def test_the_classes_are_as_unequal_as_on_the_real_line() -> None:
    counts = Counter(s.label for s in plan())
    real = sum(IMAGES_ON_THE_REAL_LINE.values())
    for label, images in IMAGES_ON_THE_REAL_LINE.items():
        assert counts[label] / counts.total() == pytest.approx(images / real, abs=0.015)


def test_a_part_has_two_or_three_shots_and_some_parts_are_on_both_cameras() -> None:
    cameras: dict[int, list[str]] = {}
    for s in plan():
        cameras.setdefault(s.part_index, []).append(s.camera)
    assert {len(c) for c in cameras.values()} == {2, 3}
    assert 0.5 < np.mean([len(set(c)) == 2 for c in cameras.values()]) < 0.95


def test_the_camera_does_not_tell_the_class() -> None:
    shots = plan()
    for label in IMAGES_ON_THE_REAL_LINE:
        first = np.mean([s.camera == "Ch00" for s in shots if s.label == label])
        assert first == pytest.approx(0.5, abs=0.04)


def test_the_place_on_the_line_does_not_tell_the_class() -> None:
    labels = parts_of(plan())
    for label in IMAGES_ON_THE_REAL_LINE:
        places = np.array([i for i, one in labels.items() if one == label]) / len(labels)
        assert places.mean() == pytest.approx(0.5, abs=0.03)
        assert np.histogram(places, 4, (0, 1))[0] == pytest.approx(len(places) / 4, abs=2.5)


def test_another_seed_orders_the_line_differently() -> None:
    assert parts_of(plan(seed=0)) != parts_of(plan(seed=1))


def test_fewer_parts_than_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 parts; use at least 5"):
        plan(3)
