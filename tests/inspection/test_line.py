import unicodedata
from typing import Any

import pytest
from pydantic import ValidationError

from inspection.line import Line, fold_name

SETTINGS: dict[str, Any] = {
    "name": "rod-assembly",
    "normal": "normal",
    "classes": {
        "normal": {"aliases": ["정상"]},
        "dent": {"aliases": ["찍힘"]},
        "under_press": {},
    },
    "regions": {
        "knurling": {"size_px": [256, 112], "shows": ["dent"]},
        "rivet": {"size_px": [80, 128], "shows": ["under_press"], "aliases": ["Head"]},
    },
    "causes": {"dent": "it fell"},
    "classify": "knurling",
    "detect_anomalies": "rivet",
}


def line(**changes: Any) -> Line:
    return Line.model_validate(SETTINGS | changes)


def test_defects_are_the_classes_but_the_normal_one_in_order() -> None:
    assert line().defects == ("dent", "under_press")


def test_the_classifier_tells_apart_what_its_region_shows_normal_first() -> None:
    assert line().classifier_classes == ("normal", "dent")
    assert line(classify="rivet").classifier_classes == ("normal", "under_press")


def test_a_defect_that_cannot_show_in_a_region_is_normal_there() -> None:
    assert line().label_in("knurling", "dent") == "dent"
    assert line().label_in("rivet", "dent") == "normal"
    assert line().label_in("rivet", "normal") == "normal"


def test_an_alias_is_found_however_it_is_spelt() -> None:
    decomposed = unicodedata.normalize("NFD", " 찍힘 ")
    assert decomposed != "찍힘"
    assert line().class_by_alias[fold_name(decomposed)] == "dent"
    assert line().class_by_alias[fold_name("DENT")] == "dent"
    assert line().region_by_alias[fold_name("head")] == "rivet"


def test_anomalies_are_sought_in_one_region_or_in_several() -> None:
    assert line(detect_anomalies="rivet").detect_anomalies == ("rivet",)
    assert line(detect_anomalies=["knurling", "rivet"]).detect_anomalies == ("knurling", "rivet")


def test_an_alias_of_two_classes_is_refused() -> None:
    classes = SETTINGS["classes"] | {"slide": {"aliases": ["Dent"]}}
    with pytest.raises(ValidationError, match=r"alias 'dent' stands for \['dent', 'slide'\]"):
        line(classes=classes)


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"normal": "good"}, "'good' is not among classes"),
        ({"classify": "thread"}, "classify: 'thread' is not among the regions"),
        ({"detect_anomalies": "thread"}, "detect_anomalies: 'thread' is not among"),
        ({"detect_anomalies": []}, "detect_anomalies"),
        (
            {"detect_anomalies": ["rivet", "rivet"]},
            r"detect_anomalies: \['rivet', 'rivet'\] names a region twice",
        ),
        ({"causes": {"dents": "it fell"}}, r"causes: \['dents'\] are not among classes"),
        ({"channels": 2}, "channels: should be 1 or 3, got 2"),
        ({"orient": ["knurling", "thread"]}, "orient: .*'thread'.* are not both among"),
        ({"regions": {"knurling": {"size_px": [64, 64], "shows": ["crack"]}}}, "'crack'"),
        ({"regions": {"knurling": {"size_px": [64, 16]}}}, "greater than or equal to 32"),
        (
            {"regions": SETTINGS["regions"] | {"rivet": {"size_px": [80, 128]}}},
            "classes.under_press: shows in no region",
        ),
        (
            {"regions": SETTINGS["regions"] | {"knurling": {"size_px": [64, 64]}}},
            "regions.knurling.shows: empty, and this region is classified",
        ),
        (
            {
                "regions": SETTINGS["regions"]
                | {"knurling": {"size_px": [64, 64], "shows": ["dent"] * 2}}
            },
            r"shows: \['dent', 'dent'\] names a class twice",
        ),
        ({"name": "a/b"}, "should match pattern"),
        ({"clases": {}}, "Extra inputs are not permitted"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_name_that_fits_nothing_is_refused(changes: dict[str, Any], reported: str) -> None:
    with pytest.raises(ValidationError, match=reported):
        line(**changes)


def test_all_names_that_do_not_agree_are_reported_at_once() -> None:
    with pytest.raises(ValidationError, match=r"(?s)normal: 'good'.*classify: 'thread'"):
        line(normal="good", classify="thread")


def test_a_line_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        line().normal = "dent"  # type: ignore[misc]


def shaped(**changes: Any) -> dict[str, Any]:
    """The settings with changes to the region `knurling`."""
    knurling = SETTINGS["regions"]["knurling"] | changes
    return {"regions": SETTINGS["regions"] | {"knurling": knurling}}


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (shaped(size_px=[32, 2048]), shaped(size_px=[31, 64])),
        (shaped(size_px=[2048, 32]), shaped(size_px=[64, 2049])),
        (shaped(margin_fraction=2.0), shaped(margin_fraction=2.01)),
        (shaped(margin_fraction=0.0), shaped(margin_fraction=-0.01)),
        (shaped(outline=[[0, 0], [1, 0], [1, 1]]), shaped(outline=[[0, 0], [1.01, 0], [1, 1]])),
        (shaped(outline=[[0, 0], [1, 0], [1, 1]]), shaped(outline=[[0, 0], [1, -0.01], [1, 1]])),
        (shaped(outline=[[0, 0], [1, 0], [1, 1]]), shaped(outline=[[0, 0], [1, 1], [0, 0]])),
        ({"bit_depth": 9}, {"bit_depth": 8}),
        ({"bit_depth": 16}, {"bit_depth": 17}),
        ({"max_pixels": 1024}, {"max_pixels": 1023}),
        ({"max_pixels": 256_000_000}, {"max_pixels": 256_000_001}),
        ({"name": "a" * 80}, {"name": "a" * 81}),
        ({"channels": 1}, {"channels": 0}),
        ({"channels": 3}, {"channels": 4}),
    ],
    ids=str,
)
def test_the_limits_of_a_line_are_where_they_are(
    allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    line(**allowed)
    with pytest.raises(ValidationError):
        line(**refused)


def test_what_is_not_given_has_the_usual_value() -> None:
    usual = line()
    assert (usual.channels, usual.bit_depth, usual.max_pixels) == (1, 16, 64_000_000)
    assert usual.regions["knurling"].margin_fraction == 0
    assert usual.regions["knurling"].outline is None
    assert usual.orient is None


def test_causes_stand_by_class_and_may_be_left_out() -> None:
    assert line().causes == {"dent": "it fell"}
    without = {key: value for key, value in SETTINGS.items() if key != "causes"}
    assert Line.model_validate(without).causes == {}
