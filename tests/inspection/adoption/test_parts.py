"""Which views are one part: each rule, and the numbers at which it begins and ends to hold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from inspection.adoption.parts import PartRule, part_rule
from inspection.adoption.proposal import Proposal
from inspection.adoption.runs import Runs, runs_of
from inspection.adoption.words import Normal
from inspection.errors import InspectionError


def rule(labels: dict[str, str], said: str = "", **changes: Any) -> PartRule:
    proposal = Proposal("x", "class_folders", "", labels, Normal(frozenset({"ok"})), **changes)
    return part_rule(proposal, list(labels), ["ok"], said)


def name_of_rule(names: Sequence[str], label: str = "ok", **changes: Any) -> str:
    return rule(dict.fromkeys(names, label), **changes).part_from.rule


def in_groups(n_views: int, n_parts: int) -> list[str]:
    """Names of views spread evenly over parts, the shot last."""
    return [f"p{n % n_parts:03}_{n // n_parts}.png" for n in range(n_views)]


@pytest.mark.parametrize(
    ("n_views", "n_parts", "expected"),
    [(130, 100, "pattern"), (129, 100, "file"), (240, 10, "pattern"), (250, 10, "file")],
)
def test_a_part_has_from_1_3_views_in_the_mean_and_up_to_24_shots(
    n_views: int, n_parts: int, expected: str
) -> None:
    assert name_of_rule(in_groups(n_views, n_parts)) == expected


@pytest.mark.parametrize(("n_shots", "expected"), [(10, "pattern"), (11, "file")])
def test_a_group_of_more_than_30_views_is_a_lot(n_shots: int, expected: str) -> None:
    cameras = ["cam1", "cam2", "cam3"]
    names = [f"{c}_p{n:02}_{s}.png" for c in cameras for n in range(10) for s in range(n_shots)]
    assert name_of_rule(names) == expected


@pytest.mark.parametrize(("n_mixed", "expected"), [(3, "pattern"), (4, "file")])
def test_17_of_20_groups_have_one_label(n_mixed: int, expected: str) -> None:
    labels = {f"x/p{n:02}_{shot}.png": "ok" for n in range(20) for shot in (0, 1)}
    labels |= {f"x/p{n:02}_1.png": "dent" for n in range(n_mixed)}
    assert rule(labels).part_from.rule == expected


@pytest.mark.parametrize(("n_normal", "expected"), [(4, "folder"), (3, "file")])
def test_where_views_are_labelled_by_themselves_four_parts_stay_normal(
    n_normal: int, expected: str
) -> None:
    labels = {f"s{n:02}/view{shot}.png": "ok" for n in range(20) for shot in (0, 1)}
    labels |= {f"s{n:02}/view1.png": "dent" for n in range(n_normal, 20)}
    found = rule(labels, by_view=True)
    assert found.part_from.rule == expected
    assert "20 folders of 2.0 images each" in found.evidence
    assert ("3 of them without a defect: too few" in found.evidence) is (expected == "file")


def test_of_folders_with_views_of_several_labels_nothing_is_said() -> None:
    labels = {f"s{n:02}/{kind}.png": kind for n in range(9) for kind in ("ok", "dent", "pit")}
    assert rule(labels, by_view=True).evidence == "nothing groups the images"


@pytest.mark.parametrize(("n_folders", "expected"), [(8, "folder"), (7, "file")])
def test_eight_small_folders_are_parts(n_folders: int, expected: str) -> None:
    names = [f"k{n}/front.png" for n in range(n_folders)]
    names += [f"k{n}/back.png" for n in range(n_folders)]
    assert name_of_rule(names) == expected


def test_equal_names_are_one_part_in_folders_of_classes_and_cameras_alone() -> None:
    names = [f"{folder}/p{n:02}_{s}.png" for folder in ("cam1", "cam2") for n in range(9)
             for s in (0, 1)]  # fmt: skip
    assert not rule(dict.fromkeys(names, "ok")).part_from.per_folder
    days = [name.replace("cam", "2024-03-0") for name in names]
    assert rule(dict.fromkeys(days, "ok")).part_from.per_folder


def runs(n_runs: int, step: int, pause: int, size: int = 6) -> list[str]:
    return [f"e{v}_num_{r * pause + v * step}.png" for r in range(n_runs) for v in range(size)]


@pytest.mark.parametrize(("n_runs", "expected"), [(8, "consecutive"), (7, "file")])
def test_eight_runs_of_numbers_are_parts(n_runs: int, expected: str) -> None:
    assert name_of_rule(runs(n_runs, step=20, pause=2000)) == expected


@pytest.mark.parametrize(("separation", "expected"), [(0.8, "consecutive"), (0.7, "file")])
def test_two_kinds_of_steps_explain_three_quarters_of_their_spread(
    separation: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explained(numbers: Sequence[int]) -> Runs:
        return replace(runs_of(numbers), separation=separation)

    monkeypatch.setattr("inspection.adoption.parts.runs_of", explained)
    assert name_of_rule(runs(12, step=20, pause=2000)) == expected


def test_numbers_without_pauses_are_no_runs_unless_the_user_says_so() -> None:
    names = [f"img_{n:04}.png" for n in range(60)]
    assert name_of_rule(names) == "file"
    names = runs(12, step=3, pause=40)
    assert rule(dict.fromkeys(names, "ok"), "runs:5").part_from.max_gap == 5
    assert rule(dict.fromkeys(names, "ok"), "runs").part_from.rule == "consecutive"


def test_a_time_in_the_name_comes_in_runs_of_seconds() -> None:
    names = [f"IMG_20240301_10{m:02}{s:02}.png" for m in range(0, 50, 5) for s in (0, 2, 4)]
    found = rule(dict.fromkeys(names, "ok"), "IMG_<time>").part_from
    assert (found.rule, found.in_seconds, found.group) == ("consecutive", True, "time")
    assert 2 <= found.max_gap < 290


def test_a_pattern_may_count_in_each_folder() -> None:
    names = [f"{d}/p{n}_{s}.png" for d in "ab" for n in range(9) for s in (1, 2)]
    found = rule(dict.fromkeys(names, "ok"), "<folder>/<part>_<shot>")
    assert found.part_from.per_folder
    assert found.pattern == "(?P<part>.+?)_(?P<view>[^_]+)"


def test_copies_that_an_export_made_are_one_part() -> None:
    names = [f"cap_{n}_jpg.rf.{c}{n}.jpg" for n in range(9) for c in "abc"]
    found = rule(dict.fromkeys(names, "ok"))
    assert found.part_from.rule == "pattern"
    assert "copies of one image" in found.evidence


def test_a_pattern_without_the_label_is_refused_where_names_say_the_class() -> None:
    labels = {f"p{n}_ok_{s}.png": "ok" for n in range(9) for s in (1, 2)}
    proposal = Proposal(
        "named_files", "flat", "", labels, Normal(frozenset({"ok"})), label_column=1
    )
    with pytest.raises(InspectionError, match="write <label> there"):
        part_rule(proposal, list(labels), ["ok"], "<part>_<shot>")


def shots(*days: str) -> list[str]:
    """Bursts of three shots, every five minutes of an hour and across a full minute."""
    return [
        f"IMG_{day}_10{at // 60:02}{at % 60:02}.jpg"
        for day in days
        for part in range(12)
        for at in (part * 295 + 58, part * 295 + 60, part * 295 + 62)
    ]


@pytest.mark.parametrize("said", ["", "runs", "IMG_<time>"])
def test_times_are_no_numbers_so_that_a_minute_and_a_day_divide_nothing(said: str) -> None:
    found = rule(dict.fromkeys(shots("20240301", "20240302"), "ok"), said).part_from
    assert (found.rule, found.group, found.in_seconds) == ("consecutive", "time", True)
    assert 2 <= found.max_gap < 290


def test_where_different_names_stand_before_the_time_its_digits_are_no_numbers() -> None:
    names = [f"{name[:3]}{n % 2}{name[3:]}" for n, name in enumerate(shots("20240301"))]
    assert name_of_rule(names) == "file"


def test_a_time_that_is_not_whole_is_refused_with_what_it_spans() -> None:
    with pytest.raises(InspectionError, match=r"'100058' is no date .* as in IMG_<time>"):
        rule(dict.fromkeys(shots("20240301"), "ok"), "IMG_<date>_<time>")


@pytest.mark.parametrize(("n_strange", "expected"), [(1, "pattern"), (2, "file")])
def test_a_rule_that_would_set_aside_the_images_of_a_class_is_none(
    n_strange: int, expected: str
) -> None:
    labels = {f"bad/p{n:02}_{shot}.png": "dent" for n in range(60) for shot in (0, 1)}
    labels |= {f"good/g{n:02}_{shot}.png": "ok" for n in range(3) for shot in (0, 1)}
    labels |= {f"good/x.1.y.2.z_{n}.png": "ok" for n in range(n_strange)}
    assert rule(labels).part_from.rule == expected
