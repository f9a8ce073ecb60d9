from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samples.parts import CLASSES, REFERENCE_SIZE, SURFACE_DEFECTS, Part, draw_part
from samples.pose import CAMERAS
from samples.scene import Box, SceneView, box_of, draw_view, shoot

SIZE = (308, 257)


def view_of(label: str, seed: int = 3, camera: str = "Ch00") -> SceneView:
    return draw_view(np.random.default_rng(seed), label=label, size=SIZE, camera=camera)


def photograph(part: Part, seed: int) -> SceneView:
    return shoot(part, np.random.default_rng(seed), size=SIZE, camera="Ch00")


def share_inside(mask: np.ndarray, box: Box) -> float:
    x, y, w, h = box
    return float(mask[y : y + h, x : x + w].sum() / mask.sum())


@pytest.mark.parametrize("label", CLASSES)
def test_one_seed_gives_one_frame_and_another_seed_another(label: str) -> None:
    assert np.array_equal(view_of(label).frame, view_of(label).frame)
    assert not np.array_equal(view_of(label).frame, view_of(label, seed=4).frame)


def test_a_class_that_does_not_exist_is_refused_with_the_list_of_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"'chip'; use one of normal, dent"):
        draw_view(np.random.default_rng(0), label="chip")


def test_a_normal_part_has_no_defect_pixel() -> None:
    view = view_of("normal")
    assert not view.mask.any()
    assert view.defect_box is None


@pytest.mark.parametrize("camera", ["Ch00", "Ch01"])
@pytest.mark.parametrize("label", SURFACE_DEFECTS)
def test_a_surface_defect_lies_inside_the_knurling(label: str, camera: str) -> None:
    for seed in range(4):
        view = view_of(label, seed, camera)
        assert view.mask.sum() > 40
        assert share_inside(view.mask, view.knurling_box) > 0.98


@pytest.mark.parametrize("camera", ["Ch00", "Ch01"])
def test_the_gap_lies_at_the_rivet_and_not_on_the_knurling(camera: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        view = draw_view(rng, label="under_press", camera=camera, severity=0.5)
        assert share_inside(view.mask, view.rivet_box) == 1
        assert share_inside(view.mask, view.knurling_box) < 0.6


@pytest.mark.parametrize("label", ["dent", "slide", "double_line", "under_press"])
def test_the_defect_box_is_the_smallest_box_around_the_mask(label: str) -> None:
    view = view_of(label)
    rows, columns = np.nonzero(view.mask)
    x, y = columns.min(), rows.min()
    assert view.defect_box == (x, y, columns.max() + 1 - x, rows.max() + 1 - y)


def test_a_box_around_nothing_is_none() -> None:
    assert box_of(np.zeros((4, 5), np.bool_)) is None


@pytest.mark.parametrize("label", SURFACE_DEFECTS)
def test_a_defect_changes_the_frame_where_its_mask_says_and_nowhere_else(label: str) -> None:
    part = draw_part(np.random.default_rng(5), label=label)
    bad, good = photograph(part, 6), photograph(replace(part, defect=None), 6)
    change = np.abs(bad.frame.astype(float) - good.frame.astype(float))
    near = np.zeros_like(bad.mask)
    assert bad.defect_box is not None
    x, y, w, h = bad.defect_box
    # a soft edge reaches farther than where a person would draw it
    reach = 8 + max(w, h) // 2
    near[max(0, y - reach) : y + h + reach, max(0, x - reach) : x + w + reach] = True
    assert change[bad.mask].mean() > 6
    assert change[~near].max() <= 1


@pytest.mark.parametrize("label", ["dent", "slide"])
def test_a_part_seen_from_behind_does_not_show_its_defect(label: str) -> None:
    part = draw_part(np.random.default_rng(5), label=label)
    rng = np.random.default_rng(6)
    view = shoot(part, rng, size=SIZE, camera="Ch00", turned=True)
    assert view.defect_box is None
    assert not view.mask.any()


def test_shots_of_a_series_differ_by_exposure_and_noise_alone() -> None:
    part = draw_part(np.random.default_rng(5), label="normal")

    def frame(exposure: float, noise: int) -> np.ndarray:
        view = shoot(
            part,
            np.random.default_rng(6),
            size=SIZE,
            camera="Ch00",
            exposure=exposure,
            noise=np.random.default_rng(noise),
        )
        return view.frame.astype(float)

    first, again, brighter = frame(1.0, 1), frame(1.0, 2), frame(1.5, 3)
    assert 0 < np.abs(first - again).mean() < 5
    assert brighter.mean() > 1.15 * first.mean()
    assert np.corrcoef(first.ravel(), brighter.ravel())[0, 1] > 0.95


def test_a_camera_that_is_aimed_at_the_rivet_has_it_nearer_to_the_middle() -> None:
    part = draw_part(np.random.default_rng(5), label="under_press")
    for camera in CAMERAS:
        as_ever, aimed = (
            shoot(part, np.random.default_rng(6), size=REFERENCE_SIZE, camera=camera, at_rivet=at)
            for at in (False, True)
        )
        middle = REFERENCE_SIZE[0] / 2
        off = [abs(v.rivet_box[0] + v.rivet_box[2] / 2 - middle) for v in (as_ever, aimed)]
        assert off[0] - off[1] == pytest.approx(30, abs=2)


def test_a_stronger_defect_covers_more() -> None:
    def covered(severity: float) -> int:
        rng = np.random.default_rng(8)
        view = draw_view(rng, label="slide", size=SIZE, severity=severity)
        return int(view.mask.sum())

    assert covered(1.0) > 1.3 * covered(0.0)


def test_a_rivet_is_framed_alike_whether_or_not_it_is_seated() -> None:
    lifted = draw_part(np.random.default_rng(9), label="under_press")
    seated = replace(lifted, label="normal", rivet=replace(lifted.rivet, gap_px=1.0))
    a, b = photograph(lifted, 10), photograph(seated, 10)
    assert (a.rivet_box, a.knurling_box) == (b.rivet_box, b.knurling_box)
    assert not np.array_equal(a.frame, b.frame)


@pytest.mark.parametrize(("camera", "side"), [("Ch00", 1), ("Ch01", -1)])
def test_each_camera_sees_the_rivet_on_its_own_side(camera: str, side: int) -> None:
    view = view_of("normal", camera=camera)
    knurling, rivet = (b[0] + b[2] / 2 for b in (view.knurling_box, view.rivet_box))
    assert np.sign(rivet - knurling) == side


def test_everything_grows_with_the_frame() -> None:
    boxes = []
    for size in ((308, 257), (616, 514)):
        view = draw_view(np.random.default_rng(11), label="slide", size=size)
        assert view.frame.shape == view.mask.shape == size[::-1]
        assert view.frame.dtype == np.uint8
        boxes.append(np.array([view.knurling_box, view.rivet_box, view.defect_box]))
    assert np.abs(2 * boxes[0] - boxes[1]).max() <= 4


def test_at_the_reference_size_the_parts_have_the_sizes_of_the_line() -> None:
    for seed in range(3):
        view = draw_view(np.random.default_rng(seed), size=(616, 514))
        (_, _, knurling_w, knurling_h), (_, _, rivet_w, _) = view.knurling_box, view.rivet_box
        assert 280 <= knurling_w <= 325
        assert 100 <= knurling_h <= 135
        assert 60 <= rivet_w <= 100


def test_dark_field_means_a_bright_part_on_black() -> None:
    view = draw_view(np.random.default_rng(12), size=(616, 514))
    x, y, w, h = view.knurling_box
    assert view.frame[y : y + h, x : x + w].mean() > 4 * np.median(view.frame)
    assert (view.frame == 255).mean() < 0.001
