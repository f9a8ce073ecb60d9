"""What must hold of every input, tried on inputs that Hypothesis makes up (the same each run)."""

import json
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.dataset.annotations import read_class_names, read_yolo
from inspection.dataset.coco import read_coco
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.names import PartFrom, nfc, part_ids, take_apart
from inspection.dataset.table import read_rows
from inspection.dataset.voc import read_voc
from inspection.errors import InspectionError
from inspection.evaluation.costs import Costs
from inspection.evaluation.thresholds import below_scores, choose_thresholds
from inspection.geometry import Box, crop_window, cut, intersection_over_union
from inspection.images import ImageError, decode, describe
from inspection.storage import plain_cell

steady = settings(derandomize=True, deadline=None, database=None, max_examples=60)
# Fitting thresholds takes a tenth of a second.
steady_few = settings(steady, max_examples=15)

px = st.floats(-5000, 5000, allow_nan=False, width=32)
length = st.floats(0.5, 3000, width=32)
boxes = st.builds(Box, px, px, length, length)
sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))


@steady
@given(boxes, boxes)
def test_the_overlap_of_two_boxes_is_a_share_and_the_same_either_way(one: Box, other: Box) -> None:
    found = intersection_over_union(one, other)

    assert 0 <= found <= 1 + 1e-9
    assert found == pytest.approx(intersection_over_union(other, one))
    assert intersection_over_union(one, one) == pytest.approx(1)


@steady
@given(boxes, sizes)
def test_a_clipped_box_lies_within_the_image(box: Box, size: tuple[int, int]) -> None:
    clipped = box.clipped(*size)

    assert 0 <= clipped.x_px <= clipped.right_px <= size[0] + 1e-6
    assert 0 <= clipped.y_px <= clipped.bottom_px <= size[1] + 1e-6


@steady
@given(boxes, boxes, sizes, st.booleans())
def test_a_box_comes_back_from_the_crop_to_where_it_was_in_the_frame(
    region: Box, box: Box, size: tuple[int, int], turned: bool
) -> None:
    window = crop_window(region, size_px=size, margin_fraction=0.1, turned=turned)
    back = window.to_frame(window.to_crop(box))

    assert list(vars(back).values()) == pytest.approx(list(vars(box).values()), abs=1e-3)


@steady
@given(boxes, st.tuples(st.integers(1, 64), st.integers(1, 64)), st.booleans())
def test_a_crop_has_its_size_wherever_its_window_lies(
    region: Box, size: tuple[int, int], turned: bool
) -> None:
    frame = np.full((40, 60), 7, np.uint8)
    window = crop_window(region, size_px=size, margin_fraction=0.0, turned=turned)
    crop = cut(frame, window)

    assert (crop.shape, set(np.unique(crop))) == (size[::-1], {7})


PATTERN = re.compile(r"(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>[^_]+)(_(?P<view>[^_]+))?")
fields = st.text(
    st.characters(exclude_characters="_/.\0", exclude_categories=["Cs", "Cc"]), min_size=1
)


@steady
@given(fields, fields, fields)
def test_a_name_is_taken_apart_into_what_it_was_made_of(camera: str, part: str, label: str) -> None:
    found = take_apart(f"a/{camera}_{part}_{label}.png", PATTERN)

    # composed text may join across no field: each is composed alone
    if found is not None and nfc(f"{camera}_{part}") == f"{nfc(camera)}_{nfc(part)}":
        assert (found["camera"], found["part"]) == (nfc(camera), nfc(part))


@steady
@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=8))
def test_the_part_of_a_view_does_not_hang_on_the_order_of_the_views(
    pairs: list[tuple[str, str]],
) -> None:
    names = [take_apart(f"c_{part}_{label}.png", PATTERN) for part, label in pairs]
    known = [name for name in names if name is not None]
    forward = part_ids(known, PartFrom())
    backward = part_ids(known[::-1], PartFrom())

    assert forward == backward[::-1]


@steady
@given(st.text(max_size=30))
def test_no_text_becomes_a_formula_or_an_escape_sequence_in_a_csv(text: str) -> None:
    shown = plain_cell(text)

    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shown)
    for cell in map(str.strip, shown.split(";")):
        begins_a_formula = cell[:1] in tuple("=+-@＝＋－＠")
        assert not begins_a_formula or re.fullmatch(r"[=+@＝＋－＠-]|[\d.,eE+-]+", cell)
    assert plain_cell(shown) == shown


INDEX = ImageIndex(["a.png", "b/c.png"], suffixes=True)
STEMS = ImageIndex(["a.png", "b/c.png"], suffixes=False)
SIZES = {"a.png": (64, 48), "b/c.png": (64, 48)}
lines = st.lists(st.text(st.sampled_from("0123456789.-+eE ,naif\t\"'<>/[]{}:"), max_size=40))
contents = st.one_of(st.binary(max_size=200), lines.map(lambda some: "\n".join(some).encode()))
READERS = {
    "yolo": lambda content: read_yolo(
        {"a.txt": content}, class_names=["x", "y"], images=STEMS, sizes=SIZES
    ),
    "yolo names": lambda content: read_class_names("classes.txt", content),
    "voc": lambda content: read_voc({"a.xml": content}, images=STEMS, sizes=SIZES),
    "coco": lambda content: read_coco("a.json", content, images=INDEX, sizes=SIZES),
    "csv": lambda content: read_rows("a.csv", content),
    "json lines": lambda content: read_rows("a.jsonl", content),
    "parquet": lambda content: read_rows("a.parquet", content),
}


@pytest.mark.parametrize("reader", READERS)
@steady
@given(contents)
def test_a_reader_understands_a_file_or_says_what_is_wrong_with_it(
    reader: str, content: bytes
) -> None:
    with suppress(InspectionError):
        READERS[reader](content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["images", "annotations", "categories", "id", "image_id", "category_id",
                         "file_name", "bbox", "name", "segmentation", "width", "height"]),
        inner,
        max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip


@steady
@given(JSON)
def test_any_json_is_coco_or_is_refused(value: object) -> None:
    with suppress(InspectionError):
        read_coco("a.json", json.dumps(value).encode(), images=INDEX, sizes=SIZES)


@steady
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*"]),
       st.binary(max_size=300))  # fmt: skip
def test_bytes_are_a_picture_or_are_refused_with_a_code(head: bytes, rest: bytes) -> None:
    for read in (lambda content: decode(content, channels=1), describe):
        with suppress(ImageError):
            read(head + rest)


scores = st.lists(st.floats(-6, 6, width=16), min_size=8, max_size=24)
COSTS = Costs(escape_cost=100.0, overkill_cost=1.0, review_cost=0.3, defect_rate=0.05)


@steady_few
@given(scores, scores)
def test_asking_for_fewer_escapes_never_passes_more_parts(
    good: list[float], bad: list[float]
) -> None:
    column = np.array([*good, *bad])
    defective = np.array([False] * len(good) + [True] * len(bad))
    passed = [
        int((column < choice.thresholds.accept_below).sum())
        for choice in (
            choose_thresholds(column, defective, COSTS, max_escape_rate=rate)
            for rate in (None, 0.5, 0.2, 0.05)
        )
    ]

    assert passed == sorted(passed, reverse=True)


@steady
@given(st.floats(-6, 6), scores, st.floats(0, 1))
def test_a_threshold_keeps_its_margin_from_every_score_and_is_never_raised(
    threshold: float, some: list[float], margin: float
) -> None:
    found = below_scores(threshold, np.array(some), margin)

    assert found <= threshold
    assert all(abs(found - score) >= margin - 1e-9 for score in some if score < threshold)
