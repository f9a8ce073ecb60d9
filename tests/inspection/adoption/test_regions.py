import pytest

from inspection.adoption.boxes import Boxes, region_categories
from inspection.adoption.pictures import Picture
from inspection.adoption.regions import (
    MIN_REGION_PX,
    boxed_regions,
    crop_size,
    orientation,
    small_defect_px,
    whole_frame,
)
from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.geometry import Box
from inspection.images import ImageFacts


def boxes(views: list[list[tuple[str, float, float, float, float]]]) -> Boxes:
    found = Annotations()
    for n, view in enumerate(views):
        named = [LabelledBox(name, Box(*edges), "coco") for name, *edges in view]
        found.add(f"{n}.png", "coco", named)
    return Boxes({"coco": ["a.json"]}, ("a.json",), found)


def whole(width_px: int, height_px: int, defect_px: float | None, n_images: int = 100) -> list[int]:
    facts = ImageFacts(width_px, height_px, 1, 8, "PNG")
    picture = Picture(facts, is_mask=False, is_coloured=False)
    placed = whole_frame([picture], ["dent"], defect_px=defect_px, n_images=n_images)
    size: list[int] = placed["regions"]["part"]["size_px"]
    return size


@pytest.mark.parametrize(
    ("frame", "crop"),
    [((2464, 2056), [256, 224]), ((300, 330), [224, 256]), ((4000, 100), [256, 64])],
)
def test_the_crop_keeps_the_aspect_of_the_frame(frame: tuple[int, int], crop: list[int]) -> None:
    assert crop_size(*frame) == crop


@pytest.mark.parametrize(
    ("side_px", "defect_px", "crop_px"),
    [(100, 6, 224), (224, 6, 224), (225, 6, 256), (300, 9, 256), (288, None, 288),
     (300, None, 320), (4000, None, 320)],
)  # fmt: skip
def test_a_frame_is_seen_at_the_next_step_up_to_256_px_and_without_marks_up_to_320(
    side_px: int, defect_px: float | None, crop_px: int
) -> None:
    assert whole(side_px, side_px, defect_px) == [crop_px, crop_px]


@pytest.mark.parametrize(
    ("width_px", "height_px", "defect_px", "n_images", "size_px"),
    [
        (1024, 1024, 24, 100, [256, 256]),  # 6 px there
        (1024, 1024, 23.9, 100, [288, 288]),
        (1024, 1024, 12, 100, [512, 512]),
        (1024, 1024, 6, 100, [512, 512]),  # no larger than four times 256 px square
        (4096, 256, 6, 100, [2048, 128]),
        (1024, 1024, 12, 1024, [512, 512]),
        (1024, 1024, 12, 1100, [480, 480]),  # all of them together no more than 1024 of these
        (1024, 1024, 12, 9000, [256, 256]),
        (300, 300, 1, 100, [320, 320]),  # nor than the frame
    ],
)
def test_a_crop_is_so_large_that_small_marked_defects_are_six_px_in_it(
    width_px: int, height_px: int, defect_px: float, n_images: int, size_px: list[int]
) -> None:
    assert whole(width_px, height_px, defect_px, n_images) == size_px


def test_a_tenth_of_the_defects_are_as_small_as_the_small_ones() -> None:
    assert small_defect_px([]) is None
    assert small_defect_px([float(side**2) for side in range(11)]) == pytest.approx(1)


@pytest.mark.parametrize(("side_px", "crop_px"), [(50, 128), (128, 128), (129, 160)])
def test_a_small_region_is_enlarged_to_128_px_and_others_to_the_next_step(
    side_px: int, crop_px: int
) -> None:
    assert crop_size(side_px, side_px, least_px=MIN_REGION_PX) == [crop_px, crop_px]


@pytest.mark.parametrize(("n_boxed", "regions"), [(10, ["body"]), (9, [])])
def test_a_region_is_boxed_in_half_of_the_images(n_boxed: int, regions: list[str]) -> None:
    some = boxes([[("body", 9, 9, 50, 40)] for _ in range(n_boxed)])
    assert region_categories(some, ["dent"], 20) == regions


@pytest.mark.parametrize(("wider", "regions"), [(66, ["body"]), (68, [])])
def test_a_region_is_of_about_one_size(wider: int, regions: list[str]) -> None:
    # half of them 40 wide: the spread is a quarter of the mean at 66.7
    some = boxes([[("body", 9, 9, width, 40)] for width in (40, wider) * 9])
    assert region_categories(some, ["dent"], 18) == regions


def test_some_category_is_left_for_a_defect_and_names_of_classes_are_none() -> None:
    some = boxes([[("hole", 9, 9, 50, 40)] for _ in range(20)])
    assert region_categories(some, [], 20) == []
    assert region_categories(some, ["Hole"], 20) == []
    twice = boxes([[("hole", 9, 9, 50, 40), ("hole", 70, 9, 50, 40)] for _ in range(20)])
    assert region_categories(twice, ["dent"], 20) == []


@pytest.mark.parametrize(
    ("n_turned", "n_views", "turned"),
    [(1, 20, None), (2, 20, ("body", "head")), (5, 100, None), (6, 100, ("body", "head"))],
)
def test_parts_lie_both_ways_where_more_than_one_in_twenty_does(
    n_turned: int, n_views: int, turned: tuple[str, str] | None
) -> None:
    heads = [5.0] * n_turned + [80.0] * (n_views - n_turned)
    views = [[("body", 40.0, 0.0, 20.0, 20.0), ("head", x, 0.0, 9.0, 9.0)] for x in heads]
    assert orientation(["body", "head"], boxes(views)) == turned


def test_a_region_shows_the_defects_whose_boxes_lie_in_it() -> None:
    views = [[("body", 10.0, 10.0, 60.0, 40.0), ("head", 80.0, 10.0, 20.0, 20.0)] for _ in range(9)]
    views[0].append(("Dent", 20.0, 20.0, 5.0, 5.0))
    placed = boxed_regions(
        {"body": "body", "head": "head"}, boxes(views), {"dent": ["Dent"], "loose": ["Loose"]}
    )
    assert placed["regions"]["body"]["shows"] == ["dent"]
    assert placed["regions"]["head"]["shows"] == ["loose"]
    assert placed["regions"]["body"]["size_px"] == [128, 96]
    assert placed["regions"]["body"]["margin_fraction"] == 0.05
    assert (placed["classify"], placed["detect_anomalies"]) == ("body", ["body", "head"])
