import unicodedata

import pytest
from pydantic import ValidationError

from inspection.dataset.file_sorting import sort_files
from inspection.dataset.layouts import Layout, class_folder, mask_path, raw_label
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


def test_the_class_is_the_nearest_folder_that_names_one() -> None:
    assert class_folder("good/MT_Dent/Imgs/a.jpg", LINE) == "MT_Dent"
    assert class_folder(unicodedata.normalize("NFD", "찍힘/a.jpg"), LINE) == "찍힘"
    assert class_folder("other/a.jpg", LINE) == ""


def test_an_unknown_folder_is_the_raw_label_with_its_path() -> None:
    name = ViewName("new/Imgs/a.jpg", {})
    assert raw_label(name, layout=layout(), line=LINE) == "new/Imgs"


def test_all_that_does_not_fit_together_is_reported_at_once() -> None:
    reported = problems(layout="flat", pattern=".+", masks="x.png", yolo=["labels/*"])
    assert "needs a group (?P<label>...)" in reported
    assert "masks needs {stem}" in reported
    assert "yolo needs yolo_names" in reported


@pytest.mark.parametrize(
    ("keys", "reported"),
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
def test_a_wrong_setting_is_reported_by_its_remedy(keys: dict[str, object], reported: str) -> None:
    assert reported in problems(**keys)
