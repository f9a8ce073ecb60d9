import re
import time
import unicodedata

import pytest
from pydantic import ValidationError

from inspection.dataset.names import (
    MAX_MATCH_S,
    PartFrom,
    ViewName,
    fullmatch,
    moment,
    names_without_part,
    nfc,
    part_ids,
    spelled_twice,
    take_apart,
)
from inspection.errors import InspectionError

PATTERN = re.compile(r"(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>[^_]+)(_(?P<view>[^_]+))?")


def numbered(*numbers: int, folder: str = "") -> list[ViewName]:
    return [ViewName(f"{folder}{n}.png", {"num": str(n)}) for n in numbers]


def test_a_name_is_taken_apart_into_the_groups_of_the_pattern() -> None:
    name = take_apart("images/Ch00_1000_널링양품_1.jpg", PATTERN)
    assert name is not None
    fields = [name[group] for group in ("camera", "part", "label", "view")]
    assert fields == ["Ch00", "1000", "널링양품", "1"]


def test_both_unicode_forms_of_a_name_give_the_same_fields() -> None:
    composed, decomposed = (
        take_apart(unicodedata.normalize(form, "Ch00_1000_널링찍힘_1.jpg"), PATTERN)
        for form in ("NFC", "NFD")
    )
    assert composed is not None
    assert decomposed is not None
    assert composed.groups == decomposed.groups


def test_a_name_without_the_shot_keeps_its_class_free_of_the_suffix() -> None:
    name = take_apart("Ch00_1000_널링찍힘.jpg", PATTERN)
    assert name is not None
    assert (name["label"], name["view"]) == ("널링찍힘", "")


def test_a_name_that_only_begins_like_the_pattern_is_not_understood() -> None:
    assert take_apart("Ch00_1000_a_1_extra.jpg", PATTERN) is None
    assert take_apart("IMG.jpg", PATTERN) is None


@pytest.mark.parametrize("pattern", [r"(\w+-?)+_\d+", r"(?P<part>([^_]+_?)+)\.\d"])
def test_a_pattern_with_a_repeat_within_a_repeat_is_done_at_once(pattern: str) -> None:
    """With `re` either takes hours on this name."""
    assert take_apart(f"Ch00-{'널링찍힘-' * 15}_.1.x.jpg", re.compile(pattern)) is None


def test_a_pattern_that_tries_every_way_is_stopped_with_the_remedy() -> None:
    pattern = re.compile("(?P<part>(a|aa)+)")
    began_s = time.monotonic()
    with pytest.raises(
        InspectionError, match=r"validate\.pattern: .* after 1 s; .* in one way only"
    ):
        take_apart(f"{'a' * 60}b.jpg", pattern)

    assert time.monotonic() - began_s < 10 * MAX_MATCH_S


def test_a_match_within_the_limit_is_that_of_the_standard_library() -> None:
    for stem in ("Ch00_1000_널링찍힘_1", "Ch00_1000_널링찍힘", "IMG", "a_b_c_d_e", ""):
        ours, theirs = fullmatch(PATTERN, stem), PATTERN.fullmatch(stem)
        assert (ours and ours.groupdict()) == (theirs and theirs.groupdict())


def test_equal_keys_are_one_part_and_per_folder_they_are_not() -> None:
    names = [ViewName(path, {"part": "7"}) for path in ("a/7_1.png", "a/7_2.png", "b/7_1.png")]
    assert part_ids(names, PartFrom(rule="pattern")) == ["7", "7", "7"]
    assert part_ids(names, PartFrom(rule="pattern", per_folder=True)) == ["a/7", "a/7", "b/7"]


def test_numbers_that_follow_each_other_are_one_part_named_by_its_first() -> None:
    rule = PartFrom(rule="consecutive", group="num", max_gap=20)
    names = numbered(120, 5, 110, 25, 46, 1000)
    assert part_ids(names, rule) == ["0110", "0005", "0110", "0005", "0046", "1000"]


def test_runs_of_numbers_begin_anew_in_each_folder() -> None:
    rule = PartFrom(rule="consecutive", group="num", max_gap=5, per_folder=True)
    names = numbered(1, 2, folder="a/") + numbered(3, 2, folder="b/")
    assert part_ids(names, rule) == ["a/1", "a/1", "b/2", "b/2"]


def test_each_file_is_a_part_by_its_path_whatever_its_suffix_or_unicode_form() -> None:
    decomposed = unicodedata.normalize("NFD", "양품/1.png")
    names = [ViewName(decomposed, {}), ViewName("b/1.jpg", {})]
    assert part_ids(names, PartFrom(rule="file")) == ["양품/1", "b/1"]


def test_names_without_the_key_are_found_before_parts_are_made() -> None:
    names = [ViewName("a", {"num": "12"}), ViewName("b", {"num": "x"}), ViewName("c", {"num": ""})]
    rule = PartFrom(rule="consecutive", group="num", max_gap=1)
    assert [name.path for name in names_without_part(names, rule)] == ["b", "c"]
    assert names_without_part(names, PartFrom(rule="file")) == []


def test_the_rule_consecutive_asks_for_its_gap() -> None:
    with pytest.raises(ValidationError, match="needs max_gap"):
        PartFrom(rule="consecutive", group="num")


def test_two_spellings_of_one_path_are_found() -> None:
    both = [unicodedata.normalize(form, "밀림_1.jpg") for form in ("NFC", "NFD")]
    assert spelled_twice([*both, "밀림_2.jpg"]) == [tuple(sorted(both))]
    assert nfc(both[1]) == both[0]


def test_times_are_counted_in_seconds_over_days() -> None:
    pattern = re.compile(r"(?P<time>\d+_\d+)")
    stems = ["20240301_235958", "20240302_000001", "20240302_000012", "20240401_235958"]
    names = [take_apart(stem, pattern) for stem in stems]
    rule = PartFrom(rule="consecutive", group="time", max_gap=5, in_seconds=True)
    reported = [name for name in names if name is not None]
    assert part_ids(reported, rule) == [
        "20240301235958",
        "20240301235958",
        "20240302000012",
        "20240401235958",
    ]
    odd = take_apart("20241399_000000", pattern)
    assert odd is not None
    assert names_without_part([odd, *reported], rule) == [odd]


@pytest.mark.parametrize(
    ("text", "is_moment"),
    [
        ("19891231235959", False),
        ("19900101000000", True),
        ("20991231235959", True),
        ("21000101000000", False),
        ("2024030110151", False),
        ("20240301101512", True),
        ("202403011015129", True),
    ],
)
def test_a_moment_has_fourteen_digits_and_a_year_of_digital_cameras(
    text: str, is_moment: bool
) -> None:
    assert (moment(text) is not None) == is_moment


def test_a_folder_stands_before_the_key_whatever_the_key_is() -> None:
    rule = PartFrom(rule="pattern", group="part", per_folder=True)
    names = [ViewName("a/1.png", {"part": "/7"}), ViewName("1.png", {"part": "7"})]
    assert part_ids(names, rule) == ["a//7", "7"]
