import unicodedata

import pytest
from pydantic import ValidationError

from inspection.dataset.layouts import (
    ImageIndex,
    Layout,
    class_folder,
    glob_regex,
    mask_path,
    missing_annotations,
    raw_label,
    sort_files,
)
from inspection.dataset.names import ViewName
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "good",
        "classes": {"good": {}, "dent": {"aliases": ["찍힘", "MT_Dent"]}},
        "regions": {"part": {"size_px": [32, 32], "whole_frame": True, "shows": ["dent"]}},
        "classify": "part",
        "detect_anomalies": "part",
    }
)


def layout(**keys: object) -> Layout:
    return Layout.model_validate({"layout": "class_folders", **keys})


def problems(**keys: object) -> str:
    with pytest.raises(ValidationError) as caught:
        layout(**keys)
    return str(caught.value)


def test_files_are_told_apart_by_glob_suffix_and_name() -> None:
    told = sort_files(
        [
            "images/a.JPG",
            "images/b.png",
            "images/note.md",
            "labels/a.txt",
            "labels/classes.txt",
            "boxes.json",
            "other/c.png",
        ],
        layout(
            images=["images/*"],
            yolo=["labels/*"],
            yolo_names="labels/classes.txt",
            coco=["boxes.json"],
        ),
    )
    assert told.images == ("images/a.JPG", "images/b.png")
    assert told.yolo == ("labels/a.txt",)
    assert told.yolo_names == "labels/classes.txt"
    assert told.coco == ("boxes.json",)
    assert told.ignored == ("images/note.md", "other/c.png")


def test_each_annotation_glob_is_to_fit_a_file_whichever_glob_takes_it() -> None:
    wanted = layout(
        coco=["**/*.json", "boxes.json", "gone.json"],
        yolo=["labels/*"],
        yolo_names=unicodedata.normalize("NFD", "labels/이름.txt"),
    )
    files = ["boxes.json", "labels/a.png", "labels/이름.txt"]
    assert missing_annotations(files, wanted) == [
        "no .json file fits validate.coco 'gone.json'; put it there, or correct params.yaml",
        "no .txt file fits validate.yolo 'labels/*'; put it there, or correct params.yaml",
    ]
    assert missing_annotations([*files, "labels/a.txt", "gone.json"], wanted) == []


def test_a_mask_is_never_an_image() -> None:
    told = sort_files(
        ["good/a.png", "good/a_mask.png", "good/orphan_mask.png"],
        layout(layout="class_folders_with_masks", masks="{folder}/{stem}_mask.png"),
    )
    assert told.images == ("good/a.png",)
    assert told.masks == ("good/a_mask.png", "good/orphan_mask.png")


def test_masks_of_the_same_stem_are_told_by_their_suffix() -> None:
    told = sort_files(
        ["x/a.jpg", "x/a.png"],
        layout(layout="class_folders_with_masks", images=["**/*.jpg"], masks="{folder}/{stem}.png"),
    )
    assert (told.images, told.masks) == (("x/a.jpg",), ("x/a.png",))


@pytest.mark.parametrize(
    ("template", "image", "mask"),
    [
        ("{folder}/{stem}.png", "dent/a.jpg", "dent/a.png"),
        ("{folder}/{stem}_GT.png", "a.jpg", "a_GT.png"),
        ("{folder}/../masks/{stem}.png", "train/images/a.jpg", "train/masks/a.png"),
        ("ground_truth/{class}/{stem}_mask.png", "test/dent/0.png", "ground_truth/dent/0_mask.png"),
    ],
)
def test_the_place_of_a_mask_follows_from_the_image(template: str, image: str, mask: str) -> None:
    with_masks = layout(layout="class_folders_with_masks", masks=template, images=["**/*.jpg"])
    assert mask_path(ViewName(image, {}), layout=with_masks, line=LINE) == mask
    assert sort_files([mask], with_masks).masks == (mask,)


def test_globs_match_names_in_either_unicode_form_and_case() -> None:
    assert glob_regex("찍힘/*.jpg").fullmatch("찍힘/A.JPG")
    decomposed = unicodedata.normalize("NFD", "찍힘/a.jpg")
    assert sort_files([decomposed], layout(images=["찍힘/*"])).images == (decomposed,)


def test_the_class_is_the_nearest_folder_that_names_one() -> None:
    assert class_folder("good/MT_Dent/Imgs/a.jpg", LINE) == "MT_Dent"
    assert class_folder(unicodedata.normalize("NFD", "찍힘/a.jpg"), LINE) == "찍힘"
    assert class_folder("other/a.jpg", LINE) == ""


def test_an_unknown_folder_is_the_raw_label_with_its_path() -> None:
    name = ViewName("new/Imgs/a.jpg", {})
    assert raw_label(name, layout=layout(), line=LINE) == "new/Imgs"


def test_an_annotation_finds_its_image_by_the_longest_common_end() -> None:
    index = ImageIndex(
        ["train/images/a.jpg", "val/images/a.jpg", "val/images/b.jpg"], suffixes=True
    )
    assert index.find("b.jpg") == "val/images/b.jpg"
    assert index.find("/home/x/train/images/a.jpg") == "train/images/a.jpg"
    assert index.find("a.jpg") is None
    assert index.find("gone.jpg") is None


def test_all_that_does_not_fit_together_is_told_at_once() -> None:
    told = problems(layout="flat", pattern=".+", masks="x.png", yolo=["labels/*"])
    assert "needs a group (?P<label>...)" in told
    assert "masks needs {stem}" in told
    assert "yolo needs yolo_names" in told


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"pattern": "("}, "should be a regular expression"),
        ({"layout": "coco"}, "layout coco needs coco"),
        ({"layout": "masks"}, "layout masks needs masks"),
        ({"masks": "{file}/{stem}"}, "may use {folder}, {class} and {stem} only"),
        ({"part_from": {"rule": "pattern", "group": "serial"}}, "needs a group (?P<serial>...)"),
        ({"images": []}, "at least 1 item"),
        ({"layout": "tree"}, "Input should be"),
        ({"patern": ".+"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_told_by_its_remedy(keys: dict[str, object], told: str) -> None:
    assert told in problems(**keys)
