"""Whether groups of views agree, and which tokens of their names become which group."""

import pytest

from inspection.adoption.names import Column, shape_of
from inspection.adoption.views import (
    Views,
    is_camera,
    named_columns,
    plain_pattern,
    purity,
    whole_name,
)


def views_of(labels: list[str], *, label_column: int | None = None, **names: list[str]) -> Views:
    stems = names.get("stems", [f"{n}" for n in range(len(labels))])
    paths = names.get("paths", [f"a/{stem}.png" for stem in stems])
    return Views(paths, stems, labels, label_column)


def test_purity_is_the_share_of_groups_of_several_views_with_one_label() -> None:
    groups = ["a", "a", "b", "b", "c"]
    assert purity(groups, ["ok", "ok", "ok", "dent", "dent"]) == 0.5
    assert purity(groups, ["ok", "ok", "", "dent", "dent"]) == 1.0  # '' speaks against nothing


def test_groups_of_single_views_say_nothing_against_each_other() -> None:
    assert purity(["a", "b"], ["ok", "dent"]) == 1.0


@pytest.mark.parametrize(("n_mixed", "agree"), [(3, True), (4, False)])
def test_groups_agree_where_17_of_20_have_one_label(n_mixed: int, agree: bool) -> None:
    groups = [n // 2 for n in range(40)]
    labels = ["dent" if n < 2 * n_mixed and n % 2 else "ok" for n in range(40)]
    assert views_of(labels).agree(groups) == agree


@pytest.mark.parametrize(("n_normal", "agree"), [(4, True), (3, False)])
def test_where_views_are_marked_singly_four_groups_stay_normal(n_normal: int, agree: bool) -> None:
    groups = [n // 2 for n in range(20)]
    labels = ["" if n < 2 * n_normal or n % 2 else "dent" for n in range(20)]
    assert views_of(labels).agree(groups) == agree


def test_a_column_is_one_of_cameras_if_all_its_values_are_called_so() -> None:
    assert is_camera(Column(("cam1", "Ch02", "top", ""), "x"))
    assert not is_camera(Column(("cam1", "p17"), "x"))


def test_the_first_camera_and_the_first_short_column_are_named() -> None:
    stems = [f"cam{n % 2}_{n // 4:03}_{n % 4}" for n in range(40)]
    views = views_of(["ok"] * 40, stems=stems)
    shape = shape_of(stems)
    assert shape is not None
    named = named_columns(views, shape, {(1, 1): "part"})
    assert named == {(0, 0): "camera", (1, 1): "part", (2, 2): "view"}


@pytest.mark.parametrize(("n_values", "is_shot"), [(24, True), (25, False)])
def test_a_shot_is_one_of_up_to_24(n_values: int, is_shot: bool) -> None:
    stems = [f"p{n:03}_{shot}" for n in range(9) for shot in range(n_values)]
    shape = shape_of(stems)
    assert shape is not None
    named = named_columns(views_of(["ok"] * len(stems), stems=stems), shape, {(0, 0): "part"})
    assert ("view" in named.values()) == is_shot


def test_where_names_say_no_part_the_pattern_reads_the_label_alone() -> None:
    stems = [f"{n}_{label}" for n in range(30) for label in ("ok", "dent")]
    labels = ["ok", "dent"] * 30
    assert plain_pattern(views_of(labels, stems=stems)) == ".+"
    with_label = views_of(labels, stems=stems, label_column=1)
    assert plain_pattern(with_label) == r"\d+_(?P<label>[^_]+)"
    assert whole_name(with_label) == r"(?P<part>\d+_(?P<label>[^_]+))"


def test_folders_are_those_of_each_view_composed() -> None:
    decomposed = "\u1112\u1161\u11ab"
    assert views_of(["ok"], paths=[f"{decomposed}/1.png"]).folders == ["한"]
