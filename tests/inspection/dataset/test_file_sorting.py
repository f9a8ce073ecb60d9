import unicodedata

from inspection.dataset.file_sorting import (
    glob_regex,
    missing_annotations,
    sort_files,
    spelled_in_two_forms,
)
from inspection.dataset.layouts import Layout


def layout(**keys: object) -> Layout:
    return Layout.model_validate({"layout": "class_folders", **keys})


def test_files_are_told_apart_by_glob_suffix_and_name() -> None:
    reported = sort_files(
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
    assert reported.images == ("images/a.JPG", "images/b.png")
    assert reported.yolo == ("labels/a.txt",)
    assert reported.yolo_names == "labels/classes.txt"
    assert reported.coco == ("boxes.json",)
    assert reported.ignored == ("images/note.md", "other/c.png")


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
    reported = sort_files(
        ["good/a.png", "good/a_mask.png", "good/orphan_mask.png"],
        layout(layout="class_folders_with_masks", masks="{folder}/{stem}_mask.png"),
    )
    assert reported.images == ("good/a.png",)
    assert reported.masks == ("good/a_mask.png", "good/orphan_mask.png")


def test_masks_of_the_same_stem_are_reported_by_their_suffix() -> None:
    reported = sort_files(
        ["x/a.jpg", "x/a.png"],
        layout(layout="class_folders_with_masks", images=["**/*.jpg"], masks="{folder}/{stem}.png"),
    )
    assert (reported.images, reported.masks) == (("x/a.jpg",), ("x/a.png",))


def test_globs_match_names_in_either_unicode_form_and_case() -> None:
    assert glob_regex("찍힘/*.jpg").fullmatch("찍힘/A.JPG")
    decomposed = unicodedata.normalize("NFD", "찍힘/a.jpg")
    assert sort_files([decomposed], layout(images=["찍힘/*"])).images == (decomposed,)


def test_two_spellings_of_one_name_are_reported_with_both_of_them() -> None:
    both = [unicodedata.normalize(form, "찍힘.png") for form in ("NFC", "NFD")]
    (reported,) = spelled_in_two_forms([*both, "a.png"])
    assert all(ascii(path) in reported for path in both)
    assert spelled_in_two_forms(["a.png", "b.png"]) == []
