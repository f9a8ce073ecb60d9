import unicodedata

import pytest

from inspection.adoption.words import (
    canonical_names,
    means_defect,
    means_normal,
    normal_among,
    plain_name,
)


@pytest.mark.parametrize(
    "name",
    [
        *["good", "OK", "ok_front", "Normal", "MT_Free", "pass", "gut", "i.O.", "io", "no defect"],
        *["defect-free", "NODefect_images", "non-defective", "without crack", "ohne defect"],
        *["정상", "널링양품", "합격", "무결함", "良品", "合格", "正常", "无瑕疵样本", "无缺陷"],
    ],
)
def test_names_that_say_that_nothing_is_wrong(name: str) -> None:
    assert means_normal(name)
    assert not means_defect(name)


@pytest.mark.parametrize(
    "name",
    [
        *["defect", "Defective", "def_front", "anomaly", "abnormal", "NG", "nok", "ko", "faulty"],
        *[
            "bad",
            "not ok",
            "n.i.O.",
            "nicht ok",
            "crack",
            "scratch",
            "dent",
            "hole",
            "broken_large",
        ],
        *["비정상", "불량", "불합격", "결함", "不良", "瑕疵样本", "缺陷", "不合格"],
    ],
)
def test_names_that_say_that_something_is_wrong(name: str) -> None:
    assert means_defect(name)
    assert not means_normal(name)


@pytest.mark.parametrize("name", ["housing", "Positive", "1", "books", "okra", "notebook", "버"])
def test_names_that_say_neither(name: str) -> None:
    assert not means_normal(name)
    assert not means_defect(name)


def test_the_class_that_is_said_is_normal_in_any_spelling() -> None:
    names = ["Serie A", "good", unicodedata.normalize("NFD", "정품")]
    assert normal_among(names, "serie a").names == {"Serie A"}
    assert normal_among(names, unicodedata.normalize("NFC", "정품")).names == {names[2]}
    assert normal_among(names, "other").names == frozenset()


def test_only_of_two_classes_a_defect_leaves_the_other_as_normal() -> None:
    assert normal_among(["housing", "crack"]).names == {"housing"}
    assert normal_among(["housing", "lid", "crack"]).names == frozenset()
    assert normal_among(["dent", "crack"]).names == frozenset()
    assert normal_among(["good", "crack"]).note == ""


def test_what_all_names_start_with_is_dropped_and_normal_names_are_one_class() -> None:
    assert canonical_names(["MT_Free", "MT_Crack"], {"MT_Free"}) == {
        "MT_Free": "free",
        "MT_Crack": "crack",
    }
    assert canonical_names(["ok", "good", "x"], {"ok", "good"}) == {
        "ok": "normal",
        "good": "normal",
        "x": "x",
    }
    assert canonical_names(["断线", "crack"], ())["断线"] == "class_1"


def test_hangul_becomes_english_where_the_word_is_known_and_is_romanised_elsewhere() -> None:
    assert [plain_name(unicodedata.normalize("NFD", one)) for one in ("널링찍힘", "버")] == [
        "dent",
        "beo",
    ]
