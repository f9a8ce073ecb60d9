"""Every form on listings of public data sets; where a set needs a question, its answer as well."""

from typing import Any

import pytest

from inspection.adoption.recognition import FORMS
from inspection.errors import InspectionError
from tests.inspection.adoption.listed import LISTINGS, planned, understood

FILE = {"rule": "file"}
Said = dict[str, str]
Settings = dict[str, Any]
# The listing, what the user says, the form, parts by class, the rule of the part, other settings.
UNDERSTOOD: list[tuple[str, Said, str, dict[str, int], Settings, Settings]] = [
    ("mvtec_ad_bottle", {}, "train_test",
     {"good": 26, "broken_large": 6, "broken_small": 6, "contamination": 6}, FILE,
     {"masks": "ground_truth/{class}/{stem}_mask.png", "images": ["test/**/*", "train/**/*"]}),
    ("mvtec_loco_breakfast_box", {}, "train_test",
     {"good": 31, "logical_anomalies": 8, "structural_anomalies": 8}, FILE,
     {"masks": "ground_truth/{class}/{stem}/000.png"}),
    ("mpdd_bracket_black", {}, "train_test", {"good": 26, "hole": 6, "scratches": 6}, FILE,
     {"masks": "ground_truth/{class}/{stem}_mask.png"}),
    ("btad_01", {}, "train_test", {"ok": 26, "ko": 9}, FILE,
     {"masks": "ground_truth/{class}/{stem}.bmp"}),
    ("visa_candle", {"form": "class_folders"}, "class_folders", {"normal": 20, "anomaly": 8}, FILE,
     {"masks": "Data/Masks/{class}/{stem}.png"}),
    ("visa_candle", {"form": "table"}, "table",
     {"normal": 20, "chunk_of_wax_missing": 4, "damaged_corner_of_packaging": 4}, FILE,
     {"columns": {"image": "image", "label": "label", "mask": "mask"}}),
    ("kolektor_sdd", {}, "image_masks", {"normal": 210, "defect": 30}, FILE,
     {"masks": "{folder}/{stem}_label.bmp"}),
    ("kolektor_sdd2", {}, "image_masks", {"normal": 27, "defect": 9}, FILE,
     {"masks": "{folder}/{stem}_GT.png"}),
    ("dagm_class1", {}, "image_masks", {"normal": 36, "defect": 12}, FILE,
     {"masks": "{folder}/Label/{stem}_label.PNG", "unlabelled": "normal"}),
    ("neu_cls", {"normal": "Cr"}, "named_files",
     {"cr": 8, "in": 8, "pa": 8, "ps": 8, "rs": 8, "sc": 8}, FILE, {"layout": "flat"}),
    ("neu_det", {"normal": "crazing"}, "train_test",
     {"crazing": 8, "inclusion": 8, "patches": 8, "pitted_surface": 8, "rolled_in_scale": 8,
      "scratches": 8}, FILE, {"voc": ["train/annotations/*", "validation/annotations/*"]}),
    ("severstal", {"normal": "unlisted"}, "table",
     {"normal": 20, "1": 4, "2": 4, "3": 8, "4": 4}, FILE,
     {"table": "train.csv", "columns": {"image": "ImageId", "label": "ClassId"},
      "unlabelled": "normal", "images": ["train_images/**/*"]}),
    ("casting", {}, "train_test", {"ok_front": 22, "def_front": 22}, FILE,
     {"layout": "class_folders"}),
    ("aitex", {}, "class_folders", {"nodefect_images": 36, "defect_images": 21}, FILE,
     {"masks": "Mask_images/{stem}_mask.png"}),
    ("magnetic_tile", {}, "class_folders", {"free": 10, "blowhole": 4, "crack": 4, "fray": 4},
     {"rule": "consecutive", "group": "number", "max_gap": 167},
     {"masks": "{folder}/{stem}.png", "images": ["**/*.jpg"],
      "pattern": r"(?P<view>[^_]+)_num_(?P<number>\d+)"}),
    ("magnetic_tile", {"part": "runs:30"}, "class_folders",
     {"free": 10, "blowhole": 4, "crack": 4, "fray": 4},
     {"rule": "consecutive", "group": "number", "max_gap": 30}, {}),
    ("deep_pcb", {"normal": "temp"}, "named_files", {"temp": 16, "test": 16}, FILE, {}),
    ("hripcb", {}, "voc",
     {"normal": 6, "missing_hole": 9, "mouse_bite": 9, "open_circuit": 9, "short": 9, "spur": 9,
      "spurious_copper": 9}, FILE, {"unlabelled": "normal"}),
    ("hripcb", {"normal": "PCB_USED"}, "class_folders",
     {"pcb_used": 6, "missing_hole": 9, "mouse_bite": 9, "open_circuit": 9, "short": 9, "spur": 9,
      "spurious_copper": 9}, FILE, {}),
    ("elpv_solar_cells", {"label": "2", "normal": "0.0"}, "table",
     {"0_0": 16, "0_3333333333333333": 8, "0_6666666666666666": 8, "1_0": 8}, FILE,
     {"columns": {"image": "1", "label": "2"}}),
    ("gc10_det", {"normal": "1"}, "class_folders", {"1": 6, "2": 6, "3": 6, "4": 6}, FILE,
     {"voc": ["lable/*"]}),
    ("gc10_det", {"form": "voc", "normal": "1_chongkong"}, "voc",
     {"1_chongkong": 6, "2_hanfeng": 6, "3_yueyawan": 6, "4_shuiban": 6}, FILE, {}),
    ("real_iad_audiojack", {"form": "class_folders"}, "class_folders", {"ok": 12, "ng": 12},
     {"rule": "pattern", "per_folder": True}, {"masks": "{folder}/{stem}.png"}),
    ("real_iad_audiojack", {"form": "named_files", "part": "folder"}, "named_files",
     {"ok": 12, "ng_ak": 6, "ng_bx": 6}, {"rule": "folder"}, {}),
    ("vision_casting", {}, "coco", {"normal": 21, "inclusoes": 21}, FILE,
     {"coco": ["train/_annotations.coco.json", "val/_annotations.coco.json"]}),
    ("roboflow_yolo", {}, "yolo", {"normal": 8, "crack": 8, "pore": 8}, {"rule": "pattern"},
     {"yolo": ["train/labels/*", "valid/labels/*"], "yolo_names": "data.yaml"}),
    ("lookout_circuitboard", {}, "train_test", {"normal": 12, "anomaly": 12}, FILE, {}),
    ("lookout_circuitboard", {"form": "table"}, "table", {"normal": 12, "anomaly": 12}, FILE,
     {"columns": {"image": "source-ref", "label": "anomaly-label-metadata.class-name"}}),
    ("concrete_cracks", {"normal": "Negative"}, "class_folders", {"negative": 12, "positive": 12},
     FILE, {}),
    ("tianchi_aluminium", {}, "class_folders",
     {"normal": 12, "scratch": 8, "class_1": 8, "class_4": 8}, FILE, {}),
    ("wood_leather", {}, "class_folders", {"i_o": 12, "falte": 12, "kratzer": 12}, FILE, {}),
    ("rod_assembly", {}, "named_files", {"normal": 8, "dent": 8, "under_press": 6},
     {"rule": "pattern"},
     {"pattern": r"(?P<camera>[^_]+)_(?P<part>\d+)_(?P<label>[^_]+)(?:_(?P<view>\d+))?"}),
    ("rod_assembly", {"part": "{camera}_{part}_{label}[_{view}]"}, "named_files",
     {"normal": 8, "dent": 8, "under_press": 6}, {"rule": "pattern"}, {}),
]  # fmt: skip
# The listing, what the user says, and what the question says: what was found, and the flag.
ASKED: list[tuple[str, Said, list[str]]] = [
    ("mvtec_ad", {}, ["2 folders each hold a data set", "'bottle', 'cable'", "adopt one of these"]),
    ("visa", {}, ["2 folders each hold a data set", "'candle', 'capsules'", "adopt one of these",
                  "(make adopt DATA=<folder>/candle)",
                  "(make line NAME=capsules DATA=<folder>/capsules)"]),
    ("visa_candle", {}, ["Normal 20, Anomaly 8", "chunk of wax missing 4",
                         "FORM=class_folders or FORM=table"]),
    ("neu_cls", {}, ["words Cr, In, PS, Pa, RS, Sc, and none of them", "NORMAL=<word>"]),
    ("neu_det", {}, ["classes crazing, inclusion", "voc: every image has a box", "NORMAL="]),
    ("severstal", {}, ["labels 1, 2, 3, 4, and none means normal", "NORMAL=unlisted if the 20"]),
    ("deep_pcb", {}, ["words temp, test, and none of them means", "NORMAL=<word>"]),
    ("elpv_solar_cells", {}, ["2 ('0.0', ", "3 ('mono', ", "LABEL=2 or LABEL=3", "NORMAL=<value>"]),
    ("elpv_solar_cells", {"label": "2"}, ["labels 0.0, 0.333", "NORMAL=<label>"]),
    ("gc10_det", {}, ["classes 1, 2, 3, 4, and none", "voc: every image has a box", "NORMAL="]),
    ("real_iad_audiojack", {}, ["NG 60, OK 60", "OK 60, NG_AK 30, NG_BX 30",
                                "FORM=class_folders or FORM=named_files"]),
    ("concrete_cracks", {}, ["Negative, Positive, and none of them means", "NORMAL=<folder>"]),
    ("kolektor_sdd", {"part": "folder"}, ["normal 0 (the normal class), defect 30",
                                         "PART=file"]),
    ("mvtec_ad_bottle", {"form": "mvtec"}, ["is no form", "FORM=train_test"]),
    ("mvtec_ad_bottle", {"masks": "gt/{stem}.png"}, ["no image has a mask there", "MASKS=none"]),
    ("casting", {"part": "<part>_<label>_x"}, ["fits 0 of 44 file names"]),
    ("casting", {"part": "<camera>_<shot>"}, ["names no part", "<part>_<shot>"]),
    ("casting", {"part": "<part"}, ["names no part"]),
    ("casting", {"part": "<part>["}, ["is no pattern"]),
    ("wood_leather", {"part": "runs"}, ["no token of the names is a number", "PART=file"]),
    ("severstal", {"label": "Kind"}, ["has no column 'Kind'", "ImageId, ClassId"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "form", "n_parts", "part_from", "settings"), UNDERSTOOD)
def test_a_set_is_recognised_by_its_listing(
    name: str,
    said: Said,
    form: str,
    n_parts: dict[str, int],
    part_from: Settings,
    settings: Settings,
) -> None:
    found = understood(name, **said)
    assert found.proposal.form == form
    assert found.n_parts == n_parts
    assert next(iter(found.n_parts)) == found.line["normal"]
    assert found.validate["part_from"] == part_from
    assert {key: found.validate[key] for key in settings} == settings


@pytest.mark.parametrize(("name", "said", "words"), ASKED)
def test_a_set_that_leaves_a_question_asks_it_and_names_the_flag(
    name: str, said: Said, words: list[str]
) -> None:
    with pytest.raises(InspectionError) as asked:
        understood(name, **said)
    for word in words:
        assert word in str(asked.value)


def test_every_listing_is_tested_and_says_its_set() -> None:
    tested = {name for name, *_ in (*UNDERSTOOD, *ASKED)}
    assert tested == set(LISTINGS)
    assert len(LISTINGS) >= 16


def test_every_form_is_that_of_some_listing() -> None:
    assert {form for _, _, form, *_ in UNDERSTOOD} == set(FORMS)


def test_of_a_folder_that_is_near_no_form_all_are_described_and_what_lies_beside_its_images() -> (
    None
):
    with pytest.raises(InspectionError) as asked:
        planned([*(f"IMG_{n:04}.jpg" for n in range(30)), "== IMG_0001.json", "{}"])
    lines = str(asked.value).splitlines()
    for form in FORMS.values():
        assert f"  {form.name}: {form.description}" in lines
    assert lines[-2] == "beside the 30 images lie 1 .json that none of them reads ('IMG_0001.json')"


def test_of_a_folder_that_is_near_a_form_only_that_is_said() -> None:
    with pytest.raises(InspectionError) as asked:
        planned([f"{label}/{n}.png" for label in ("slide", "fold") for n in range(9)])
    head, near, _, last = str(asked.value).splitlines()
    assert near.startswith("  class_folders: folders name the classes fold, slide, and none")
    assert "the nearest" in head
    assert "table" in last


def test_where_no_class_is_normal_it_is_said_what_a_stand_in_for_it_is_worth() -> None:
    lines = [f"{label}_{n}.bmp" for label in ("Cr", "In", "Sc") for n in range(9)]
    stands_in = "NORMAL=<one of them> lets it stand in"
    with pytest.raises(InspectionError, match=stands_in):
        planned(lines)

    # those that no row names may be the normal ones: no class need stand in for them
    with pytest.raises(InspectionError, match="NORMAL=unlisted") as asked:
        understood("severstal")
    assert stands_in not in str(asked.value)


def test_a_folder_of_normals_alone_is_told_that_defects_are_missing() -> None:
    with pytest.raises(InspectionError, match=r"all images lie in 'good', .*add a folder of defec"):
        planned([f"good/{n}.png" for n in range(9)])
    with pytest.raises(InspectionError, match=r"all images lie in 'good', .*add a folder of defec"):
        planned([f"train/good/{n}.png" for n in range(9)])


def test_a_form_that_is_said_tells_what_it_lacks() -> None:
    with pytest.raises(InspectionError, match="  yolo: there is no YOLO file"):
        planned([f"IMG_{n:04}.jpg" for n in range(30)], form="yolo")


def test_of_two_classes_of_which_one_is_a_defect_the_other_is_normal_and_that_is_said() -> None:
    lines = [f"{label}/{n}.png" for label in ("housing", "defective") for n in range(9)]
    found = planned(lines)
    assert found.line["normal"] == "housing"
    assert "'housing', the only other class, is the normal one" in found.proposal.normal.note
    assert planned(lines, normal="defective").line["normal"] == "defective"
