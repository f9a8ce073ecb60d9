from dataclasses import replace

import numpy as np
import pytest

from inspection.adoption.pictures import Picture
from inspection.adoption.plan import Plan
from inspection.adoption.report import understood, warnings
from inspection.images import ImageFacts
from tests.inspection.adoption import listed


def pictured(plan: Plan, *sizes: tuple[int, int], bits: int = 16) -> Plan:
    depth = 8 if bits == 16 else 16
    pictures = [
        Picture(ImageFacts(*size, 1, depth, "PNG"), is_mask=False, is_coloured=False, bits=bits)
        for size in sizes
    ]
    return replace(plan, pictures=pictures)


def said(plan: Plan, words: str) -> bool:
    return any(words in line for line in warnings(plan))


def test_form_classes_part_and_crop_are_said() -> None:
    lines = list(understood(listed.understood("magnetic_tile")))
    assert "files: 132 images, 132 masks, 1 ignored ('README.md')" in lines
    assert any(line.startswith("form: class_folders: ") for line in lines)
    assert "class free (normal): 60 images, 10 parts, called 'MT_Free'" in lines
    assert any(line.startswith("part: consecutive: the numbers come in 22 runs") for line in lines)
    assert any(line.startswith("region part: the whole frame, crop ") for line in lines)


def test_a_normal_class_that_only_the_user_calls_so_is_said_to_be_one() -> None:
    stands_in = "'Cr' is the normal class because NORMAL says so"
    assert said(listed.understood("neu_cls", normal="Cr"), stands_in)
    assert not said(listed.understood("casting", normal="ok_front"), "because NORMAL says so")
    assert not said(listed.understood("severstal", normal="unlisted"), "because NORMAL says so")


@pytest.mark.parametrize(("n", "few"), [(5, True), (6, False)])
def test_fewer_than_six_parts_of_a_class_are_few(n: int, few: bool) -> None:
    lines = [f"good/{i}.png" for i in range(9)] + [f"bad/{i}.png" for i in range(n)]
    assert said(listed.planned(lines), f"class bad has {n} parts") is few


def test_a_class_of_one_part_is_left_out_and_the_remedy_said() -> None:
    lines = [f"{c}/{i}.png" for c in ("good", "bad") for i in range(9)] + ["weird/0.png"]
    plan = listed.planned(lines)
    assert list(plan.line["classes"]) == ["good", "bad"]
    assert said(plan, "`weird: {aliases: ['weird']}` under line.classes")
    assert plan.validate["unknown"] == {"max_fraction": 0.07}


@pytest.mark.parametrize(("wide", "is_said"), [(192, False), (194, True)])
def test_frames_of_more_than_twice_the_aspect_of_others_are_said(wide: int, is_said: bool) -> None:
    plan = pictured(listed.understood("casting"), *[(96, 96), (wide, 96)] * 9)
    assert said(plan, "times as wide as high") is is_said


@pytest.mark.parametrize(("side", "is_said"), [(1536, False), (1544, True)])
def test_frames_that_shrink_more_than_six_fold_are_said(side: int, is_said: bool) -> None:
    plan = listed.understood("casting")
    plan.line["regions"]["part"]["size_px"] = [256, 256]
    assert said(pictured(plan, (side, side)), "6.0-fold into the crop") is is_said
    assert said(pictured(plan, (side, side)), "less than some 18 px is lost") is is_said


def boxed(size: str) -> Plan:
    """Photographs of 96 x 64 px, with boxes of pits of a relative width and height."""
    photos = [f"{label}/{n}.png" for label in ("ok", "nok") for n in range(9)]
    boxes = [line for n in range(9) for line in (f"== nok/{n}.txt", f"0 0.5 0.5 {size}")]
    return listed.planned([*photos, "== classes.txt", "pit", *boxes])


def test_where_frames_shrink_the_size_of_marked_defects_is_said() -> None:
    plan = boxed("0.25 0.125")
    assert plan.line["classes"]["nok"] == {"aliases": ["pit"]}
    assert plan.defect_px == pytest.approx((24 * 8) ** 0.5)
    assert said(pictured(plan, (4000, 4000)), "of those marked measures 14 px or less")
    small = replace(plan, defect_px=3.0)
    plan.line["regions"]["part"]["size_px"] = [256, 256]
    assert not said(pictured(small, (256, 256)), "shrunk")
    assert said(pictured(small, (257, 257)), "shrunk")


@pytest.mark.parametrize(("size_px", "is_large"), [([256, 256], False), ([288, 256], True)])
def test_of_a_crop_larger_than_256_px_square_windows_are_learned_from(
    size_px: list[int], is_large: bool
) -> None:
    plan = boxed("0.25 0.125")
    plan.line["regions"]["part"]["size_px"] = size_px
    assert plan.window_px == ((256, 256) if is_large else None)
    lines = list(understood(plan))
    assert any("windows of 256 x 256 px are learned from" in line for line in lines) is is_large
    assert replace(plan, marks_places=False, defect_px=None).window_px is None


def test_marks_that_nobody_could_measure_are_no_reason_to_stop() -> None:
    """Masks of many greys are no masks to adopt, though a table may name them as such."""
    plan = replace(boxed("0.25 0.125"), defect_px=None)
    assert plan.marks_places
    plan.line["regions"]["part"]["size_px"] = [320, 320]
    assert plan.window_px is None
    assert not any("windows of" in line for line in understood(plan))


def test_a_camera_of_twelve_bits_is_said() -> None:
    plan = listed.understood("casting")
    assert said(pictured(plan, (96, 64), bits=12), "a camera of 12 bits, so line.bit_depth is 12")
    assert not said(plan, "bits")


def test_parts_that_may_leak_and_parts_by_numbers_name_the_flag() -> None:
    assert said(listed.understood("casting"), "PART=folder or PART=runs or PART=<part>_<shot>")
    assert not said(listed.understood("casting", part="file"), "leak")
    assert said(listed.understood("magnetic_tile"), "PART=runs:<largest step>")


def test_masks_that_lie_elsewhere_and_kinds_that_are_not_read_are_said() -> None:
    assert said(listed.understood("mvtec_loco_breakfast_box"), "4 of 20 masks do not lie where")
    lines = [f"{c}/{i}.png" for c in ("good", "bad") for i in range(9)] + ["good/x.webp"]
    assert said(listed.planned(lines), "a kind that is not read (1 .webp) are left out")


def test_the_median_frame_is_said() -> None:
    plan = pictured(listed.understood("casting"), (100, 50), (300, 70), (120, 60))
    width, height = np.median([(100, 50), (300, 70), (120, 60)], axis=0)
    assert f"frames: {width:.0f} x {height:.0f} px in the median, grey" in list(understood(plan))


@pytest.mark.parametrize(("listing", "is_said"), [("casting", True), ("magnetic_tile", False)])
def test_where_nothing_marks_defects_it_is_said_that_heat_is_not_measured(
    listing: str, is_said: bool
) -> None:
    lines = list(understood(listed.understood(listing)))
    assert any(line.startswith("places: no mask or box") for line in lines) is is_said


def test_names_that_a_said_pattern_does_not_fit_are_counted() -> None:
    lines = [f"{c}/p{n}_{s}.png" for c in ("good", "bad") for n in range(9) for s in (1, 2)]
    plan = listed.planned([*lines, "good/x.png"], part="<part>_<shot>")
    assert said(plan, "1 images are not called as the others and will be set aside ('good/x.png')")


def test_parts_with_two_labels_are_said() -> None:
    lines = [f"{c}/p{n}_{s}.png" for c in ("good", "bad") for n in range(9) for s in (1, 2)]
    plan = listed.planned(lines, part="<part>_<shot>")
    assert said(plan, "9 of 9 parts have views of two labels, and their views are reported")


def test_where_names_hold_times_the_hint_says_how_they_group() -> None:
    lines = [f"{c}/cam{n % 2}_20240101_1200{n:02}.jpg" for c in ("ok", "ng") for n in range(20)]
    assert said(listed.planned(lines), "PART=IMG_<time>")
