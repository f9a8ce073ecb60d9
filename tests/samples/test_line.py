from __future__ import annotations

import doctest
from collections import Counter

import numpy as np
import pytest

import samples.line
from samples.line import EXPOSURES, IMAGES_ON_THE_REAL_LINE, Shot, plan_line, share_out


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
    assert 0.3 < np.mean([len(set(c)) == 2 for c in cameras.values()]) < 0.8


def test_the_camera_tells_what_is_not_pressed_home_and_no_other_class() -> None:
    shots = plan()
    for label in IMAGES_ON_THE_REAL_LINE:
        first = np.mean([s.camera == "Ch00" for s in shots if s.label == label])
        expected = 0.1 if label == "under_press" else 0.5
        # a class of some fifty parts, each of two or three shots
        assert first == pytest.approx(expected, abs=0.09)
    assert {s.camera for s in shots if s.at_rivet} == {"Ch01"}
    assert {s.label for s in shots if s.at_rivet} == {"under_press"}


def test_double_lines_come_late_and_the_place_tells_no_other_class() -> None:
    labels = parts_of(plan())
    for label in IMAGES_ON_THE_REAL_LINE:
        places = np.array([i for i, one in labels.items() if one == label]) / len(labels)
        if label == "double_line":
            assert places.mean() > 0.65
            continue
        assert places.mean() == pytest.approx(0.47, abs=0.04)
        assert np.ptp(places) > 0.9


def test_two_fifths_of_each_class_are_series_of_exposures_by_one_camera() -> None:
    shots = plan()
    for label in IMAGES_ON_THE_REAL_LINE:
        series = {s.part_index: s.series for s in shots if s.label == label}
        assert np.mean([*series.values()]) == pytest.approx(0.4, abs=0.02)

    by_part: dict[int, list[Shot]] = {}
    for s in shots:
        if s.series:
            by_part.setdefault(s.part_index, []).append(s)
        else:
            assert s.exposure == 1
    for taken in by_part.values():
        assert [s.exposure for s in taken] == list(EXPOSURES)
        assert len({s.camera for s in taken}) == 1


def test_only_the_last_shot_of_a_part_shows_it_from_behind() -> None:
    shots = plan()
    last = {s.part_index: s.number for s in shots}
    behind = [s for s in shots if s.turned]
    assert 50 < len(behind) < 70
    assert all(s.number == last[s.part_index] > 1 and not s.series for s in behind)


def test_severity_is_continuous_and_one_defective_part_in_40_is_borderline() -> None:
    parts = {s.part_index: s for s in plan()}
    for label in IMAGES_ON_THE_REAL_LINE:
        found = [s.severity for s in parts.values() if s.label == label]
        if label == "normal":
            assert set(found) == {None}
            continue
        assert np.histogram(found, 5, (0, 1))[0] == pytest.approx(len(found) / 5, abs=1.5)
    defective = [s for s in parts.values() if s.label != "normal"]
    assert np.mean([s.is_borderline for s in defective]) == pytest.approx(0.025, abs=0.015)


def test_another_seed_orders_the_line_differently() -> None:
    assert parts_of(plan(seed=0)) != parts_of(plan(seed=1))


def test_fewer_parts_than_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 parts; use at least 5"):
        plan(3)
