import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from inspection.adoption.adoption import Folder, Plan, plan
from inspection.adoption.adoption_report import told
from inspection.adoption.adoption_warnings import warned
from inspection.adoption.region_guesses import (
    FolderContents,
    bits_used,
    crop_size,
    has_colour,
    look_at,
)
from inspection.dataset.labelling import by_boxes
from inspection.dataset.layouts import Layout, sort_files
from inspection.errors import InspectionError
from inspection.images import ImageFacts
from inspection.line import Line
from tests.pictures import encoded, part


def facts(width: int = 96, height: int = 64) -> ImageFacts:
    return ImageFacts(width, height, 1, 8, "PNG")


def understood(
    paths: Iterable[str],
    *,
    contents: Mapping[str, str] | None = None,
    marked: Iterable[str] = (),
    masks: Iterable[str] = (),
    normal: str = "",
) -> Plan:
    """The plan for a folder of these paths, all grey 96 x 64 images, some of them `masks`."""
    files = [*paths, *masks]
    looked = {
        path: FolderContents(
            facts(), path in set(masks), False, path in set(marked) or path not in set(masks)
        )
        for path in files
        if path.lower().endswith((".png", ".jpg", ".bmp", ".tif"))
    }
    text = {path: content.encode() for path, content in (contents or {}).items()}
    seen = Folder(tuple(sorted({*files, *text})), looked, text)
    found = plan(seen, name="new-line", normal=normal)
    Line.model_validate(found.line)
    layout = Layout.model_validate(
        {key: value for key, value in found.validate.items() if key in Layout.model_fields}
    )
    sorted_files = sort_files(found.files, layout)
    assert set(sorted_files.images) >= set(found.labels.raw)
    assert sorted_files.ignored == ()
    return found


def many(pattern: str, n: int) -> list[str]:
    return [pattern.format(n=n) for n in range(n)]


def test_an_mvtec_tree_is_class_folders_with_masks_and_merged_splits() -> None:
    images = many("train/good/{n:03d}.png", 20) + many("test/good/{n:03d}.png", 6)
    images += many("test/crack/{n:03d}.png", 8) + many("test/poke/{n:03d}.png", 8)
    masks = many("ground_truth/crack/{n:03d}_mask.png", 8)
    masks += many("ground_truth/poke/{n:03d}_mask.png", 8)
    found = understood([*images, "license.txt"], masks=masks)
    assert found.validate["layout"] == "class_folders_with_masks"
    assert found.validate["masks"] == "ground_truth/{class}/{stem}_mask.png"
    assert found.line["normal"] == "good"
    assert list(found.line["classes"]) == ["good", "crack", "poke"]
    assert found.n_parts == {"good": 26, "crack": 8, "poke": 8}
    assert found.ignored == ["license.txt"]
    assert any("test, train are merged" in line for line in told(found))
    assert any("leak from train to test" in line for line in warned(found))


def test_masks_beside_their_images_are_known_by_their_looks() -> None:
    images = [f"MT_{name}/Imgs/{n}.jpg" for name in ("Free", "Crack") for n in range(9)]
    masks = [path.replace(".jpg", ".png") for path in images]
    found = understood(images, masks=masks)
    assert found.validate["masks"] == "{folder}/{stem}.png"
    assert found.validate["images"] == ["**/*.jpg"]
    assert found.line["classes"] == {
        "free": {"aliases": ["MT_Free"]},
        "crack": {"aliases": ["MT_Crack"]},
    }


@pytest.mark.parametrize(
    ("photo", "mask", "template"),
    [
        ("images/{c}/{n}.jpg", "annotations/{c}/{n}.png", "annotations/{class}/{stem}.png"),
        ("{c}/{n}.png", "{c}/label/{n}_label.png", "{class}/label/{stem}_label.png"),
        ("{c}_images/{n}.png", "Mask_images/{n}_mask.png", "Mask_images/{stem}_mask.png"),
        ("{c}/{n}.png", "other/{n}.png", "other/{stem}.png"),
    ],
)
def test_black_and_white_images_named_as_a_photograph_are_its_masks_wherever_they_lie(
    photo: str, mask: str, template: str
) -> None:
    images = [photo.format(c="good", n=n) for n in range(30, 60)]
    images += [photo.format(c="bad", n=n) for n in range(20)]
    masks = [mask.format(c="bad", n=n) for n in range(20)]
    found = understood(images, masks=masks)
    assert found.validate["masks"] == template
    assert sorted(found.n_parts.values()) == [20, 30]


@pytest.mark.parametrize(
    ("mask", "template"),
    [
        ("{c}/{n:03d}_bw.png", "{folder}/{stem}_bw.png"),
        ("Semantic Maps/{n:03d}_segm.bmp", "Semantic Maps/{stem}_segm.bmp"),
        ("marks/m_{n:03d}.png", "marks/m_{stem}.png"),
    ],
)
def test_what_all_masks_have_around_the_names_of_their_images_is_learnt(
    mask: str, template: str
) -> None:
    images = [*many("good/{n:03d}.png", 40), *[f"bad/{n:03d}.png" for n in range(40, 60)]]
    found = understood(images, masks=[mask.format(c="bad", n=n) for n in range(40, 60)])
    assert found.validate["masks"] == template
    assert found.n_parts == {"good": 40, "bad": 20}
    assert found.n_masks == 20


def test_what_photographs_have_behind_their_names_makes_no_masks_of_them() -> None:
    images = [f"{c}/{n:03d}{end}.png" for c in ("good", "bad") for n in range(20)
              for end in ("", "_flip_h")]  # fmt: skip
    assert understood(images).n_masks == 0


def test_of_several_masks_in_a_folder_of_the_image_one_is_taken_and_the_rest_are_told() -> None:
    images = [*many("train/good/{n:03d}.png", 20), *many("test/dent/{n:03d}.png", 12)]
    masks = many("ground_truth/dent/{n:03d}/000.png", 12)
    more = many("ground_truth/dent/{n:03d}/001.png", 3)
    found = understood(images, masks=[*masks, *more])
    assert found.validate["masks"] == "ground_truth/{class}/{stem}/000.png"
    assert set(masks) <= set(found.files)
    assert any(line.startswith("3 of 15 masks do not lie") for line in warned(found))


def test_photographs_of_sound_parts_that_look_black_are_no_masks() -> None:
    images = [*many("scratch/{n:03d}.png", 15), *many("dirt/{n:03d}.png", 15)]
    found = understood(images, masks=many("OK/{n:03d}.png", 20))
    assert found.n_masks == 0
    assert found.n_parts == {"ok": 20, "dirt": 15, "scratch": 15}


def test_a_label_folder_of_photographs_is_no_folder_of_masks() -> None:
    found = understood([*many("labels/good/{n}.png", 20), *many("labels/bad/{n}.png", 20)])
    assert found.n_masks == 0


def test_a_class_of_black_and_white_images_alone_is_left_out() -> None:
    images = [*many("good/{n}.png", 20), *many("bad/{n}.png", 20)]
    found = understood(images, masks=many("shapes/x{n}.png", 20))
    assert list(found.line["classes"]) == ["good", "bad"]
    assert any("'shapes' are black and white alone" in line for line in warned(found))


def test_a_normal_class_that_is_known_as_an_absence_alone_is_told() -> None:
    images = [*many("frobbed/a{n}.png", 9), *many("unfrobbed/b{n}.png", 9)]
    found = understood(images)
    assert found.line["normal"] == "unfrobbed"
    assert any("'unfrobbed' is taken for normal only" in line for line in warned(found))
    said = understood(images, normal="frobbed")
    assert said.line["normal"] == "frobbed"
    assert not any("taken for normal only" in line for line in warned(said))


def test_hangul_folders_in_either_form_become_plain_names_with_aliases() -> None:
    folders = {form: unicodedata.normalize("NFD", form) for form in ("정상", "긁힘")}
    images = [f"{folder}/사진 {n}.JPG" for folder in folders.values() for n in range(9)]
    found = understood([*images, "Thumbs.db", ".DS_Store"])
    assert found.line["classes"] == {
        "normal": {"aliases": ["정상"]},
        "scratch": {"aliases": ["긁힘"]},
    }
    assert found.ignored == [".DS_Store", "Thumbs.db"]


def test_a_flat_folder_is_read_by_its_names() -> None:
    images = [
        f"P{n:03d}-{'ok' if n < 30 else 'oil stain'}-{v}.png" for n in range(50) for v in (1, 2)
    ]
    found = understood(images)
    assert found.validate["layout"] == "flat"
    assert found.validate["part_from"]["rule"] == "pattern"
    assert found.n_parts == {"ok": 30, "oil_stain": 20}
    assert found.part_disagreement == "hold"
    assert warned(found) == []


def test_yolo_labels_tell_the_classes_and_missing_files_mean_normal() -> None:
    contents = {f"labels/{n}.txt": f"{n % 2} 0.5 0.5 0.2 0.{n + 1}" for n in range(0, 16)}
    contents["data.yaml"] = "names: [crack, burr]"
    found = understood(many("images/{n}.jpg", 40), contents=contents)
    assert found.validate["layout"] == "yolo"
    assert found.validate["yolo"] == ["labels/*"]
    assert found.validate["yolo_names"] == "data.yaml"
    assert found.validate["unlabelled"] == "normal"
    assert found.n_parts == {"normal": 24, "burr": 8, "crack": 8}


def test_empty_yolo_files_are_the_normals_and_missing_ones_are_set_aside() -> None:
    contents = {f"labels/{n}.txt": "0 0.5 0.5 0.2 0.2" if n < 9 else "" for n in range(20)}
    contents["classes.txt"] = "crack"
    found = understood(many("images/{n}.jpg", 26), contents=contents)
    assert "unlabelled" not in found.validate
    assert found.n_parts == {"normal": 11, "crack": 9}
    assert any("files: 26 images" in line for line in told(found))
    (untold,) = [line for line in warned(found) if "nothing tells the class of 6 of 26" in line]
    assert "or set validate.unlabelled to normal" in untold


def test_coco_boxes_tell_classes_and_regions_apart() -> None:
    import json

    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(30)]
    boxes = [(n, 1, [10 + n % 3, 10, 50, 40]) for n in range(30)]
    boxes += [(n, 2, [20, 20, 3 + n, 40 - n]) for n in range(0, 30, 3)]
    annotations = [{"image_id": i, "category_id": c, "bbox": b} for i, c, b in boxes]
    categories = [{"id": 1, "name": "housing"}, {"id": 2, "name": "Deep Scratch"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    found = understood(many("{n}.jpg", 30), contents={"a.json": json.dumps(content)})
    assert found.validate["layout"] == "coco"
    assert found.line["classes"] == {"normal": {}, "deep_scratch": {"aliases": ["Deep Scratch"]}}
    assert found.line["regions"] == {
        "housing": {"size_px": [128, 96], "margin_fraction": 0.05, "shows": ["deep_scratch"]}
    }
    assert found.n_parts == {"normal": 20, "deep_scratch": 10}


@pytest.mark.parametrize(
    ("names", "n_boxed", "place", "found_classes"),
    [
        ("hole", 22, "0.{n} 0.{n}", {"normal": 18, "hole": 22}),  # of one size in most, anywhere
        ("good\nbad", 40, "0.5 0.5", {"good": 20, "bad": 20}),  # the part itself is boxed
    ],
)
def test_a_defect_of_one_size_is_no_region_of_the_part(
    names: str, n_boxed: int, place: str, found_classes: dict[str, int]
) -> None:
    kinds = len(names.split())
    contents = {
        f"labels/{n}.txt": f"{n % kinds} {place.format(n=n + 10)} 0.10 0.10" for n in range(n_boxed)
    }
    contents["classes.txt"] = names
    found = understood(many("images/{n}.jpg", 40), contents=contents)
    assert found.n_parts == found_classes
    assert list(found.line["regions"]) == ["part"]


def test_parts_that_lie_both_ways_are_to_be_turned() -> None:
    heads = ["0.70", "0.75"] * 10
    lines = [f"0 0.{40 + n % 3} 0.5 0.3 0.4\n1 {at} 0.5 0.2 0.2" for n, at in enumerate(heads)]
    lines[:6] = [f"2 0.{35 + n} 0.5 0.{n + 1} 0.1" for n in range(6)]
    contents = {f"labels/{n}.txt": line for n, line in enumerate(lines)}
    contents["classes.txt"] = "body\nhead\ndent"
    found = understood(many("images/{n}.jpg", 20), contents=contents)
    assert set(found.line["regions"]) == {"body", "head"}
    assert "orient" not in found.line  # the head never lies left of the body
    turned = [line.replace("1 0.75", "1 0.10") for line in lines]
    contents |= {f"labels/{n}.txt": line for n, line in enumerate(turned)}
    found = understood(many("images/{n}.jpg", 20), contents=contents)
    assert found.line["orient"] == ["body", "head"]
    assert any("head is right of body" in line for line in told(found))


def test_masks_alone_tell_defect_from_normal() -> None:
    images = many("train/{n}.png", 20)
    masks = many("train/{n}_GT.png", 20)
    found = understood(images, masks=masks, marked=masks[:7])
    assert found.validate["layout"] == "masks"
    assert found.n_parts == {"normal": 13, "defect": 7}


def test_masks_of_defects_alone_leave_the_other_images_normal() -> None:
    masks = many("masks/{n}.png", 7)
    found = understood(many("images/{n}.jpg", 20), masks=masks, marked=masks)
    assert found.validate["unlabelled"] == "normal"
    assert found.n_parts == {"normal": 13, "defect": 7}
    assert any("images without a mask are taken for normal" in line for line in warned(found))


def test_parts_in_folders_may_show_a_defect_in_one_view_alone() -> None:
    images = [f"kos{n:02}/Part{view}.png" for n in range(30) for view in range(8)]
    masks = [path.replace(".png", "_label.bmp") for path in images]
    marked = [f"kos{n:02}/Part{n % 8}_label.bmp" for n in range(20)]
    found = understood(images, masks=masks, marked=marked)
    assert found.validate["layout"] == "masks"
    assert found.validate["part_from"] == {"rule": "folder"}
    assert found.n_parts == {"normal": 30, "defect": 20}
    assert found.part_disagreement == "off"
    assert any("30 folders of 8.0 images each" in line for line in told(found))


def test_where_no_part_would_be_normal_each_image_is_one() -> None:
    images = [f"kos{n:02}/Part{view}.png" for n in range(30) for view in range(8)]
    masks = [path.replace(".png", "_label.bmp") for path in images]
    found = understood(images, masks=masks, marked=masks[::8])
    assert found.validate["part_from"] == {"rule": "file"}
    assert found.part_disagreement == "hold"
    assert any("hardly one of them is normal in all images" in line for line in told(found))


def test_copies_of_an_exported_image_are_one_part_in_whatever_split() -> None:
    images = [
        f"{split}/{'ok' if n < 20 else 'bad'}/cap_0_{n}_jpg.rf.{n}a{copy}.jpg"
        for n in range(40)
        for copy, split in enumerate(("train", "train", "valid"))
    ]
    found = understood(images)
    assert found.validate["part_from"] == {"rule": "pattern"}
    assert found.n_parts == {"ok": 20, "bad": 20}
    told_in_names = [
        f"{n}_{'ok' if n < 9 else 'bad'}_png.rf.{c}x.png" for n in range(20) for c in "ab"
    ]
    found = understood(told_in_names)
    assert found.validate["layout"] == "flat"
    assert found.n_parts == {"ok": 9, "bad": 11}


def test_numbers_that_cluster_make_parts_that_are_only_reported_when_they_disagree() -> None:
    images = [
        f"{'free' if tile % 2 else 'crack'}/e{view}_num_{tile * 1500 + 20 * view}.jpg"
        for tile in range(40)
        for view in range(1, 7)
    ]
    found = understood(images)
    assert found.validate["part_from"]["rule"] == "consecutive"
    assert found.n_parts == {"free": 20, "crack": 20}
    assert found.part_disagreement == "report"
    assert any("guessed from neighbouring numbers" in line for line in warned(found))


def test_a_class_of_one_part_is_left_out_and_the_user_told_what_to_do() -> None:
    images = many("good/{n}.png", 20) + many("bad/{n}.png", 9) + ["weird/0.png"]
    found = understood(images)
    assert list(found.line["classes"]) == ["good", "bad"]
    (line,) = (line for line in warned(found) if "weird" in line)
    assert "`weird: {aliases: ['weird']}` under line.classes" in line
    assert "weird to line.regions.part.shows" in line


def test_a_class_left_out_leaves_room_for_its_images_in_the_quarantine() -> None:
    images = many("good/{n}_0.png", 20) + many("good/{n}_1.png", 20)
    images += [f"bad/{n + 50}_{v}.png" for n in range(20) for v in (0, 1)]
    found = understood([*images, *(f"odd/99_{v}.png" for v in range(12))])
    assert found.validate["unknown"] == {"max_fraction": 0.15}
    assert found.validate["expected"]["max_quarantined_fraction"] == 0.15


def test_parts_in_folders_of_their_own_are_told_by_the_folder() -> None:
    images = [
        f"{'good' if n < 18 else 'bad'}/kos{n}/Part{view}.png"
        for n in range(30)
        for view in range(4)
    ]
    found = understood(images)
    assert found.validate["part_from"]["rule"] == "folder"
    assert found.n_parts == {"good": 18, "bad": 12}


def test_folders_of_equal_classes_with_masks_of_their_own_are_products() -> None:
    images = [
        f"VisA/{name}/Data/Images/{label}/{n:03d}.JPG"
        for name in ("candle", "capsules")
        for label in ("Normal", "Anomaly")
        for n in range(12)
    ]
    masks = [f"VisA/{name}/Data/Masks/Anomaly/{n:03d}.png" for name in ("candle", "capsules")
             for n in range(12)]  # fmt: skip
    with pytest.raises(InspectionError, match="2 data sets with masks of their own: 'VisA/candle'"):
        understood(images, masks=masks)
    assert understood([one for one in images if "candle" in one], masks=masks[:12]).n_masks == 12


def test_where_no_folder_is_normal_what_else_may_tell_the_classes_is_told_too() -> None:
    images = [*many("pit/{n}.png", 20), *many("rust/{n}.png", 20), "cover.png"]
    with pytest.raises(InspectionError) as error:
        understood([*images, "labels.csv", "notes/1.xml"])
    told = str(error.value)
    assert "folders name the classes pit, rust" in told
    assert "1 images lie in no such folder: 'cover.png'" in told
    assert "('labels.csv'), and are not read" in told
    assert "1 XML files are not read" in told


def test_a_folder_within_that_of_a_class_is_a_class_only_where_it_is_a_kind_of_defect() -> None:
    images = [*many("good/{n}.png", 20), *many("crack/{n}.png", 12), *many("NG/{n}.png", 12)]
    kinds = [*many("NG/dent/{n}.png", 12), *many("crack/marked/{n}.png", 12)]
    found = understood([*images, *kinds])
    assert found.n_parts == {"good": 20, "crack": 12, "dent": 12, "ng": 12}
    assert len(found.aside) == 12


def test_a_data_set_may_be_called_as_one_of_its_classes() -> None:
    images = [*many("crack/train/good/{n}.png", 20), *many("crack/train/crack/{n}.png", 12)]
    assert understood(images).n_parts == {"good": 20, "crack": 12}


def test_days_repeat_their_classes_and_products_do_not() -> None:
    days = [f"{day}/{label}/{n}.png" for day in "ab" for label in ("ok", "pit") for n in range(9)]
    found = understood(days)
    assert found.n_parts == {"ok": 18, "pit": 18}
    assert found.validate["part_from"]["rule"] == "file"
    products = [
        f"{name}/test/{label}/{n}.png"
        for name, defect in (("bottle", "broken"), ("cable", "cut"))
        for label in ("good", defect)
        for n in range(9)
    ]
    with pytest.raises(InspectionError, match="2 data sets with classes of their own: 'bottle'"):
        understood(products)
    split = [path.replace("test/good", "train/good").replace("cut", "broken") for path in products]
    with pytest.raises(InspectionError, match="2 data sets with splits of their own: 'bottle'"):
        understood(split)
    assert understood([path.replace("bottle", "cam1").replace("cable", "cam2") for path in split])


def test_a_stray_picture_does_not_hide_the_class_folders() -> None:
    found = understood([*many("good/{n}.png", 20), *many("crack/{n}.png", 20), "overview.jpg"])
    assert list(found.line["classes"]) == ["good", "crack"]
    assert found.ignored == ["overview.jpg"]


def test_without_two_parts_of_normal_and_of_some_defect_nothing_is_adopted() -> None:
    with pytest.raises(InspectionError, match="parts found: good 20, bad 1"):
        understood([*many("good/{n}.png", 20), "bad/0.png"])


def test_a_box_category_that_means_normal_is_the_normal_class() -> None:
    contents = {f"labels/{n}.txt": f"{n % 2} 0.5 0.5 0.2 0.{n + 1}" for n in range(16)}
    contents |= {"labels/20.txt": "", "classes.txt": "good\ncrack"}
    found = understood(many("images/{n}.jpg", 21), contents=contents)
    assert found.line["normal"] == "good"
    assert found.n_parts == {"good": 9, "crack": 8}


def test_a_defect_makes_a_view_bad_however_large_the_box_of_what_is_good_beside_it() -> None:
    good = "0 0.5 0.5 0.9 0.9\n"
    contents = {f"labels/{n}.txt": good + ("1 0.2 0.2 0.1 0.1" if n < 8 else "") for n in range(20)}
    contents |= {"classes.txt": "good\npore"}
    found = understood(many("images/{n}.jpg", 20), contents=contents)
    assert found.n_parts == {"good": 12, "pore": 8}
    assert found.boxes is not None
    told, strange = by_boxes(
        list(found.labels.raw),
        found.boxes.annotations.boxes,
        found.boxes.annotations,
        unlabelled_is_normal=False,
        line=Line.model_validate(found.line),
    )
    assert Counter(one.label for one in told.values()) == Counter(pore=8, good=12)
    assert strange == []


@pytest.mark.parametrize(
    "content",
    [
        '{"images": 40, "annotations": 0, "categories": ["ok"]}',
        '{"images": [], "annotations": [], "categories": [{"name": "ng"',
        '{"images": [{"file_name": "0.png"}], "annotations": [], "categories": []}',
    ],
)
def test_json_that_is_no_coco_is_told_and_hinders_where_nothing_else_tells_the_classes(
    content: str,
) -> None:
    images = [*many("ok/{n}.png", 20), *many("ng/{n}.png", 20)]
    found = understood(images, contents={"info.json": content})
    assert found.n_parts == {"ok": 20, "ng": 20}
    assert any(line.startswith("1 JSON files are ignored") for line in warned(found))
    with pytest.raises(InspectionError, match=r"info\.json: "):
        understood(many("{n}.png", 20), contents={"info.json": content})


def test_the_user_may_say_which_class_is_normal() -> None:
    images = many("serie A/{n}.png", 9) + many("serie B/{n}.png", 9)
    with pytest.raises(InspectionError, match="none of them means that nothing is wrong"):
        understood(images)
    assert understood(images, normal="serie A").line["normal"] == "a"


@pytest.mark.parametrize(
    ("paths", "told_of"),
    [
        ([], "no image"),
        (["a.txt", "b.docx"], "no image"),
        (many("IMG_{n}.jpg", 20), "nothing tells the class"),
        (many("good/{n}.jpg", 20), "all 20 images lie in 'good', which means normal"),
        ([*many("{n}.jpg", 20), "labels.csv"], "only tables may tell the classes .'labels.csv'"),
        ([f"{w}_{n}.jpg" for w in ("pit", "rust") for n in range(9)], "the words pit, rust, and"),
        ([*many("{n}.jpg", 20), "a/1.xml"], "1 XML files are not read; convert Pascal VOC"),
        ([*many("{n}.jpg", 20), *many("masks/x{n}.png", 5)], "5 masks are found, for none of 20"),
    ],
)
def test_a_folder_that_cannot_be_understood_is_an_error_with_its_remedy(
    paths: list[str], told_of: str
) -> None:
    with pytest.raises(InspectionError, match=told_of):
        understood(paths)


def test_yolo_labels_without_names_are_told_and_names_are_found_in_any_yaml() -> None:
    contents = {f"labels/{n}.txt": f"{n % 2} 0.5 0.5 0.2 0.{n + 1}" for n in range(16)}
    with pytest.raises(InspectionError, match="no file names their classes"):
        understood(many("images/{n}.jpg", 40), contents=contents)
    contents |= {"hyp.yaml": "lr: 1\nnames_of: x", "steel.yaml": "nc: 2\nnames: [crack, burr]"}
    found = understood(many("images/{n}.jpg", 40), contents=contents)
    assert found.validate["yolo_names"] == "steel.yaml"


def test_a_remedy_names_the_words_of_make_adopt() -> None:
    images = many("0/{n}.png", 9) + many("1/{n}.png", 9)
    with pytest.raises(InspectionError, match=r"make adopt DATA=.* NORMAL=<name>"):
        understood(images)
    assert understood(images, normal="0").line["normal"] == "0"


def test_an_image_is_judged_by_its_pixels() -> None:
    grey = part(1)
    assert look_at(encoded(grey)) == FolderContents(ImageFacts(64, 48, 1, 8, "PNG"), False, False)
    mask = (grey > 100).astype(np.uint8) * 255
    assert look_at(encoded(mask)).is_mask
    assert not look_at(encoded(mask * 0)).is_marked
    tinted = encoded(np.dstack([grey, grey, grey // 2]))
    on_screen = np.full((64, 64), 255, np.uint8)
    on_screen[20:30, 20:30] = np.arange(100, 200).reshape(10, 10)
    assert not look_at(encoded(on_screen)).is_mask
    assert look_at(encoded(np.kron(np.eye(4), np.full((16, 16), 255)), ".jpg")).is_mask
    assert look_at(tinted).is_coloured
    assert has_colour([look_at(tinted), look_at(encoded(grey))])
    assert not has_colour([look_at(encoded(grey))] * 20 + [look_at(tinted)])


@pytest.mark.parametrize(("brightest", "bits"), [(800, 10), (4095, 12), (9000, 14), (65535, 16)])
def test_the_bits_of_the_camera_are_read_off_sixteen_bit_files(brightest: int, bits: int) -> None:
    picture = part(1).astype(np.float64)
    dark = look_at(encoded((picture * brightest / picture.max()).astype(np.uint16)))
    assert (dark.is_mask, dark.bits) == (False, bits)
    eight = look_at(encoded(part(1)))
    mask = look_at(encoded(np.eye(64, dtype=np.uint16)))
    assert (mask.is_mask, mask.is_marked) == (True, True)
    assert bits_used([eight, dark, mask]) == bits
    assert bits_used([eight, mask]) == 16


def test_a_camera_of_twelve_bits_is_told_and_written_down() -> None:
    paths = [*many("good/{n}.png", 20), *many("bad/{n}.png", 20)]
    dark = FolderContents(replace(facts(), bit_depth=16), False, False, bits=12)
    found = plan(Folder(tuple(paths), dict.fromkeys(paths, dark), {}), name="x")
    assert any("a camera of 12 bits, so line.bit_depth is 12" in line for line in warned(found))
    assert found.line["bit_depth"] == 12


def test_frames_of_unlike_shapes_and_unread_kinds_are_told() -> None:
    paths = [*many("good/{n}.png", 20), *many("bad/{n}.png", 20)]
    strip = FolderContents(facts(200, 900), False, False)
    frame = FolderContents(facts(640, 480), False, False)
    looked = {path: strip if n % 3 == 0 else frame for n, path in enumerate(paths)}
    found = plan(Folder((*paths, *many("good/{n}.webp", 9)), looked, {}), name="x")
    assert any("0.22 to 1.33 times as wide as high" in line for line in warned(found))
    assert any("not read are left out: 9 .webp; convert" in line for line in warned(found))


@pytest.mark.parametrize(
    ("frame", "crop"),
    [((2464, 2056), [256, 224]), ((300, 330), [224, 256]), ((4000, 100), [256, 64])],
)
def test_the_crop_keeps_the_aspect_of_the_frame(frame: tuple[int, int], crop: list[int]) -> None:
    assert crop_size(*frame) == crop


@pytest.mark.parametrize("split", ["test", "test_images", "Test_Set", "testing_data"])
def test_unsorted_images_of_a_split_and_of_no_class_are_left_out_and_told(split: str) -> None:
    images = many("train/good/{n:03d}.png", 30) + many("train/dent/{n:03d}.png", 12)
    aside = many(f"{split}/{{n:04d}}.png", 15) + many("unlabeled/{n:03d}.png", 5)
    aside += many("train/dent/thumbs/{n:03d}.png", 12)
    found = understood([*images, *aside])
    assert list(found.line["classes"]) == ["good", "dent"]
    assert set(found.labels.raw) == set(images)
    assert set(found.files) == set(images)
    assert any("32 images lie in no folder of a class" in line for line in warned(found))


def test_images_right_in_the_folder_of_the_line_make_no_class() -> None:
    images = many("can/test_public/good/{n:03d}.png", 12) + many("can/train/good/{n:03d}.png", 20)
    images += many("can/test_public/bad/{n:03d}.png", 9)
    found = understood([*images, *many("can/test_private/{n:03d}.png", 20)])
    assert list(found.line["classes"]) == ["good", "bad"]
    assert found.n_parts == {"good": 32, "bad": 9}


def test_splits_of_any_usual_name_count_their_images_anew() -> None:
    images = many("train_set/good/{n:03d}.png", 30) + many("test_set/good/{n:03d}.png", 30)
    images += many("train_set/dent/{n:03d}.png", 12) + many("test_set/dent/{n:03d}.png", 12)
    assert understood(images).n_parts == {"good": 60, "dent": 24}


@pytest.mark.parametrize(
    ("tops", "is_told"),
    [
        (("candle", "capsules"), True),
        (("all/candle", "all/capsules"), True),
        (("cam1", "cam2"), False),
        (("train", "test"), False),
        (("Lot_A1", "Lot_B7"), False),
        (("2024-03-01", "2024-03-02"), False),
        (("fold1", "fold2"), False),
    ],
    ids=str,
)
def test_folders_that_repeat_the_classes_may_be_products_and_that_is_told(
    tops: tuple[str, str], is_told: bool
) -> None:
    images = [f"{top}/{label}/{n:03d}.png" for top in tops for label in ("Normal", "Anomaly")
              for n in range(12)]  # fmt: skip
    found = understood(images)
    assert any("if they are products" in line for line in warned(found)) is is_told


@pytest.mark.parametrize(
    "content",
    [
        '{"images": {"id": 1}, "annotations": [], "categories": []}',
        '{"images": ["a.png"], "annotations": [], "categories": []}',
        '{"info": {"categories": [], "images": [], "annotations": []}}',
        '{"images": [], "annotations": [], "categories": [',
    ],
)
def test_json_that_only_holds_the_words_of_coco_does_not_hide_the_folders(content: str) -> None:
    images = many("good/{n}.png", 20) + many("bad/{n}.png", 20)
    found = understood(images, contents={"info.json": content})
    assert found.boxes is None
    assert found.ignored == ["info.json"]


def test_frames_that_shrink_much_are_told_with_what_is_lost_in_them() -> None:
    found = understood(many("good/{n}.png", 9) + many("bad/{n}.png", 9))
    assert not any("are shrunk" in line for line in warned(found))
    long = tuple(replace(one, facts=facts(4096, 256)) for one in found.looked)
    regions = {"part": {"size_px": [256, 64], "whole_frame": True, "shows": ["bad"]}}
    lines = warned(replace(found, looked=long, line=found.line | {"regions": regions}))
    assert any("shrunk 16-fold" in one and "less than some 48 px" in one for one in lines)


@pytest.mark.parametrize("where", ["{n}.png", "photos/{n}.png"])
def test_masks_may_lie_in_a_folder_beside_images_that_lie_in_none(where: str) -> None:
    images = many(where, 20)
    masks = many("masks/{n}.png", 20)
    found = understood(images, masks=masks, marked=masks[:8])
    assert found.validate["masks"] == "masks/{stem}.png"
    assert found.n_parts == {"normal": 12, "defect": 8}
