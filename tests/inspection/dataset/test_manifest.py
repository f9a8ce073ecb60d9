import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from inspection.boxes import LabelledBox
from inspection.curation.class_counts import check_classes
from inspection.dataset.annotations import Annotations
from inspection.dataset.image_files import ImageFile, Mask, examine, examine_mask
from inspection.dataset.labelling import Unknown
from inspection.dataset.layouts import Layout
from inspection.dataset.manifest import COLUMNS, assemble, counts
from inspection.dataset.quarantine import Finding, as_table
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.images import ImageFacts
from inspection.line import Line
from tests.pictures import encoded, part

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {"aliases": ["양품"]}, "dent": {"aliases": ["찍힘"]}},
        "regions": {"part": {"size_px": [32, 32], "whole_frame": True, "shows": ["dent"]}},
        "classify": "part",
        "detect_anomalies": "part",
    }
)
FLAT = {"layout": "flat", "pattern": "(?P<part>[^_]+)_(?P<label>[^_]+)"}


def seen(path: str, sha: str = "") -> ImageFile:
    return ImageFile(path, (sha or path).ljust(64, "0"), ImageFacts(64, 48, 1, 8, "PNG"))


def made(
    images: Sequence[ImageFile],
    *,
    annotations: Annotations | None = None,
    on_masks: Sequence[Mask] = (),
    unknown: Unknown | None = None,
    **layout: Any,
) -> tuple[pd.DataFrame, list[Finding]]:
    return assemble(
        images,
        annotations=annotations or Annotations(),
        masks=on_masks,
        layout=Layout.model_validate(FLAT | {"part_from": {"rule": "pattern"}} | layout),
        line=LINE,
        unknown=unknown or Unknown(max_fraction=0.9),
    )


def boxed(**boxes: list[LabelledBox]) -> Annotations:
    found = Annotations()
    for name, some in boxes.items():
        found.add(f"{name}.png", "coco", some)
    return found


def test_an_image_is_hashed_and_described_and_a_broken_one_is_a_finding() -> None:
    good = examine("a.png", encoded(part(1)), bit_depth=16, max_pixels=10**6)
    assert isinstance(good, ImageFile)
    assert (good.facts.width_px, good.facts.height_px) == (64, 48)
    bad = examine("a.png", encoded(part(1))[:200], bit_depth=16, max_pixels=10**6)
    assert isinstance(bad, Finding)
    assert (bad.reason, bad.view_kept) == ("truncated", False)


def test_the_manifest_has_one_row_per_view_in_its_columns() -> None:
    table, findings = made([seen("2_찍힘.png"), seen("1_양품.png")])
    assert list(table.columns) == list(COLUMNS)
    assert list(table["path"]) == ["1_양품.png", "2_찍힘.png"]
    assert list(table["label"]) == ["normal", "dent"]
    assert list(table["label_raw"]) == ["양품", "찍힘"]
    assert list(table["part_id"]) == ["1", "2"]
    assert table["view_id"].map(len).eq(16).all()
    assert findings == []


def test_paths_stay_as_on_disk_and_labels_are_composed() -> None:
    path = unicodedata.normalize("NFD", "1_양품.png")
    table, _ = made([seen(path)])
    assert table.loc[0, "path"] == path
    assert table.loc[0, "label_raw"] == "양품"


def test_of_equal_files_the_first_is_kept_and_a_conflict_of_labels_is_reported() -> None:
    images = [seen("1_양품.png", "s"), seen("2_양품.png", "s"), seen("3_찍힘.png", "s")]
    table, findings = made(images)
    assert list(table["path"]) == ["1_양품.png"]
    assert [(f.path, f.reason) for f in findings] == [
        ("2_양품.png", "duplicate"),
        ("3_찍힘.png", "duplicate_conflict"),
    ]
    assert "label 'dent', there 'normal'" in findings[1].detail


def test_the_kept_file_knows_its_copies_with_their_parts_and_labels() -> None:
    images = [seen("1_양품.png", "s"), seen("2_찍힘.png", "s"), seen("3_gone.png", "s")]
    table, _ = made([*images, seen("4_양품.png")])
    assert [json.loads(cell) for cell in table["copies"]] == [
        [
            {"path": "2_찍힘.png", "part_id": "2", "label": "dent"},
            {"path": "3_gone.png", "part_id": "3", "label": ""},
        ],
        [],
    ]


def test_thousands_of_copies_of_one_file_are_listed_once() -> None:
    images = [seen(f"{n}_양품.png", "s") for n in range(3000)]
    table, findings = made(images)
    assert len(json.loads(table.loc[0, "copies"])) == len(findings) == 2999


def test_few_strangers_are_set_aside_with_their_reason() -> None:
    images = [seen("1_양품.png"), seen("2_gone.png"), seen("IMG.png")]
    table, findings = made(images)
    assert len(table) == 1
    assert {(f.path, f.reason) for f in findings} == {
        ("2_gone.png", "unknown_class"),
        ("IMG.png", "name_not_understood"),
    }


@pytest.mark.parametrize("unknown", [Unknown(action="error"), Unknown(max_fraction=0.1)])
def test_unknown_classes_and_names_are_all_told_at_once_where_they_stop(unknown: Unknown) -> None:
    images = [seen("1_양품.png"), seen("2_new.png"), seen("3_odd.png"), seen("IMG.png")]
    with pytest.raises(InspectionError) as caught:
        made(images, unknown=unknown)
    reported = str(caught.value)
    assert "class 'new' of 1 images is unknown" in reported
    assert "class 'odd' of 1 images is unknown" in reported
    assert "1 x name_not_understood: 'IMG.png'" in reported


def test_boxes_are_stored_as_json_and_bad_ones_leave_the_view() -> None:
    boxes = [
        LabelledBox("찍힘", Box(1, 2, 10, 10), "yolo"),
        LabelledBox("dent", Box(60, 2, 30, 10), "yolo"),
    ]
    annotations = Annotations(boxes={"1_찍힘.png": boxes}, sources={"1_찍힘.png": {"yolo"}})
    table, findings = made([seen("1_찍힘.png")], annotations=annotations)
    (box,) = json.loads(table.loc[0, "boxes"])
    assert box["category"] == "dent"
    assert set(box) == {"category", "x_px", "y_px", "width_px", "height_px", "source"}
    assert [(f.reason, f.view_kept) for f in findings] == [("box_outside", True)]


COCO: dict[str, Any] = {
    "layout": "coco",
    "coco": ["*.json"],
    "pattern": ".+",
    "part_from": {"rule": "file"},
}


def test_boxes_tell_the_class_by_the_defect_that_covers_most() -> None:
    annotations = boxed(a=[LabelledBox("찍힘", Box(1, 1, 9, 9), "coco")], b=[])
    table, findings = made([seen("a.png"), seen("b.png")], annotations=annotations, **COCO)
    assert list(table["label"]) == ["dent", "normal"]
    assert findings == []


def test_an_image_that_no_annotation_knows_is_no_normal_unless_the_user_says_so() -> None:
    table, findings = made([seen("a.png"), seen("b.png")], annotations=boxed(a=[]), **COCO)
    assert list(table["path"]) == ["a.png"]
    assert [f.reason for f in findings] == ["unlabelled"]
    table, _ = made([seen("b.png")], unlabelled="normal", **COCO)
    assert list(table["label"]) == ["normal"]


def test_a_view_whose_only_box_was_dropped_is_not_taken_for_a_good_part() -> None:
    annotations = boxed(a=[LabelledBox("dent", Box(500, 1, 9, 9), "coco")])
    table, findings = made(
        [seen("a.png")], annotations=annotations, unknown=Unknown(max_fraction=1), **COCO
    )
    assert len(table) == 0
    assert {f.reason for f in findings} == {"box_outside", "unlabelled"}


MASKS: dict[str, Any] = {
    "layout": "masks",
    "masks": "{stem}_m.png",
    "pattern": ".+",
    "part_from": {"rule": "file"},
}


def test_masks_tell_the_class_where_the_layout_says_so() -> None:
    masks = [Mask("a_m.png", 64, 48, is_marked=True), Mask("b_m.png", 64, 48, is_marked=False)]
    table, _ = made([seen("a.png"), seen("b.png")], on_masks=masks, **MASKS)
    assert list(table["label"]) == ["dent", "normal"]
    assert list(table["mask_path"]) == ["a_m.png", "b_m.png"]


def test_masks_of_another_size_and_without_an_image_are_reported_and_left_out() -> None:
    masks = [Mask("a_m.png", 60, 48, is_marked=True), Mask("z_m.png", 64, 48, is_marked=True)]
    table, findings = made(
        [seen("a.png")], on_masks=masks, unknown=Unknown(max_fraction=1), **MASKS
    )
    assert len(table) == 0
    reasons = {(f.path, f.reason) for f in findings}
    assert ("a_m.png", "mask_size_differs") in reasons
    assert ("z_m.png", "mask_without_image") in reasons


def test_a_mask_that_contradicts_the_class_is_reported() -> None:
    masks = [Mask("a_m.png", 64, 48, is_marked=False), Mask("b_m.png", 64, 48, is_marked=True)]
    _, findings = made(
        [seen("dent/a.png"), seen("normal/b.png")],
        on_masks=[replace(one, path=f"{folder}/{one.path}") for one, folder in
                  zip(masks, ("dent", "normal"), strict=True)],
        **MASKS | {"layout": "class_folders_with_masks", "masks": "{folder}/{stem}_m.png"},
    )  # fmt: skip
    assert {(f.path, f.reason) for f in findings} == {
        ("dent/a_m.png", "mask_marks_nothing"),
        ("normal/b_m.png", "mask_on_normal"),
    }


def test_a_mask_is_marked_when_any_pixel_is() -> None:
    blank = part(1) * 0
    mask = examine_mask("m.png", encoded(blank), max_pixels=10**6)
    assert mask == Mask("m.png", 64, 48, is_marked=False)
    broken = examine_mask("m.png", b"", max_pixels=10**6)
    assert isinstance(broken, Finding)
    assert broken.reason == "mask_empty"


def test_classes_without_views_or_with_one_part_are_reported_together() -> None:
    table = pd.DataFrame({"label": ["dent", "dent"], "part_id": ["1", "1"]})
    with pytest.raises(InspectionError) as caught:
        check_classes(table, LINE)
    reported = str(caught.value).splitlines()
    assert reported[0].startswith("data: the normal class 'normal' has no views")
    assert reported[1].startswith("data: class 'dent' has one part")


def test_a_class_whose_views_are_all_held_is_not_called_missing() -> None:
    table = pd.DataFrame({"label": ["dent", "dent", "normal", "normal"], "part_id": list("1234")})
    held = table.assign(held=[True, True, False, False], held_reason="")
    held.loc[:1, "held_reason"] = "duplicate_conflict: a copy is called otherwise"
    with pytest.raises(InspectionError, match=r"'dent' has 0 part.*2 by duplicate_conflict"):
        check_classes(held, LINE)


def test_the_counts_are_those_of_a_table_counted_by_hand() -> None:
    images = [seen("1_양품.png"), seen("2_찍힘.png"), seen("2_찍힘_2.png", "2_찍힘.png")]
    table, findings = made(images, pattern="(?P<part>[^_]+)_(?P<label>[^_]+)(_.)?")
    numbers = counts(table, as_table(findings))
    assert (numbers["n_views"], numbers["n_parts"], numbers["n_quarantined"]) == (2, 2, 1)
    assert numbers["quarantined"] == {"duplicate": 1}
    assert numbers["classes"] == {
        "dent": {"n_views": 1, "n_parts": 1},
        "normal": {"n_views": 1, "n_parts": 1},
    }


def test_findings_are_listed_once_and_in_order() -> None:
    table = as_table([Finding("b", "x", ""), Finding("a", "x", ""), Finding("b", "x", "")])
    assert list(table["path"]) == ["a", "b"]


def test_a_view_is_named_by_sixteen_digits_of_its_hash() -> None:
    table, _ = made([seen("1_양품.png")])
    assert table.loc[0, "view_id"] == table.loc[0, "image_sha256"][:16]
