import re
import unicodedata

import pytest

from inspection.adoption.vocabulary import (
    canonical_names,
    common_prefix,
    means_normal,
    normal_among,
)

NORMAL = re.split(
    ", ",
    "good, OK, MT_Free, none, defect-free, no_defect, Non Defective, ok_front, "
    "정상, 널링양품, 불량 없음, 무결점, 합격, 양호, 良品, 合格, 正常, OK品, 无缺陷, accepted, "
    "conforming, acceptable, qualified, Gut, i.O., IO, i. O., in Ordnung, bueno, bon, Accepté, "
    "sans défaut, ohne Fehler, conforme",
)
DEFECT = re.split(
    ", ",
    "NG, not ok, no good, abnormal, defective, anomaly, anomalous, freed, crack, without_cap, "
    "비정상, 불합격, 불량, 찍힘, 不良品, 不合格, 异常, NG品, not accepted, non-conforming, "
    "unacceptable, unqualified, Schlecht, n.i.O., NIO, nicht ok, malo, mauvais, non conforme, "
    "Fehler, défaut",
)


@pytest.mark.parametrize("name", [*NORMAL, unicodedata.normalize("NFD", "양품")])
def test_names_of_sound_parts_are_known(name: str) -> None:
    assert means_normal(name)


@pytest.mark.parametrize("name", DEFECT)
def test_names_of_defects_are_not_taken_for_sound_parts(name: str) -> None:
    assert not means_normal(name)


def test_names_become_plain_ascii_in_snake_case() -> None:
    names = ["MT_Blowhole", "MT_Oil Stain", "MT_Free"]
    assert list(canonical_names(names).values()) == ["blowhole", "oil_stain", "free"]


def test_hangul_is_translated_where_known_and_romanised_elsewhere() -> None:
    names = ["정상", "널링찍힘", "찍힘 불량", "접힘", "결함"]
    told = canonical_names(names)
    assert list(told.values()) == ["normal", "dent", "dent", "jeophim", "defect"]


def test_names_in_other_scripts_are_numbered_and_accents_dropped() -> None:
    assert canonical_names(["凸起", "Bläschen"]) == {"凸起": "class_1", "Bläschen": "blaschen"}


def test_all_names_that_mean_normal_are_one_class() -> None:
    assert canonical_names(["ok", "good", "ng"]) == {"ok": "normal", "good": "normal", "ng": "ng"}


def test_a_prefix_ends_at_a_separator() -> None:
    assert common_prefix(["MT_Free", "MT_Fray"]) == "MT_"
    assert common_prefix(["broken_large", "broken_small", "good"]) == ""
    assert common_prefix(["alone_name"]) == ""


@pytest.mark.parametrize(
    ("names", "normal"),
    [
        (["crack", "no_crack"], ["no_crack"]),
        (["Cracked", "Non-cracked"], ["Non-cracked"]),
        (["uncracked", "cracked"], ["uncracked"]),
        (["crack", "no cracks"], ["no cracks"]),
        (["ok", "not ok", "no_good"], ["ok"]),
        (["notch", "pit"], []),
        (["good", "cap", "no_cap"], ["good"]),
        (["conforming", "non-conforming"], ["conforming"]),
        (["acceptable", "unacceptable", "rework"], ["acceptable"]),
    ],
)
def test_the_absence_of_another_class_means_normal(names: list[str], normal: list[str]) -> None:
    assert sorted(normal_among(names)) == normal


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        (["정상", "비정상"], ["normal", "abnormal"]),
        (["합격", "불합격"], ["normal", "reject"]),
        (["良品", "不良品"], ["normal", "defect"]),
    ],
)
def test_the_opposite_of_normal_is_a_class_of_its_own(names: list[str], plain: list[str]) -> None:
    assert list(canonical_names(names).values()) == plain
