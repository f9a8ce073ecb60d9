import re

from inspection.confusion_svg import confusion_svg

ROWS = [
    {"actual": "normal", "normal": 3, "a<b": 1},
    {"actual": "a<b", "normal": 0, "a<b": 2},
]


def test_counts_stand_in_rows_by_actual_class_and_names_are_escaped() -> None:
    picture = confusion_svg(ROWS)
    assert re.findall(r">([^<>]+)</text>", picture) == [
        "normal", "a&lt;b", "normal", "3", "1", "a&lt;b", "0", "2",
    ]  # fmt: skip


def test_colours_are_as_strong_as_the_share_of_the_row() -> None:
    picture = confusion_svg(ROWS)
    assert re.findall(r"rgba\((\S+)\)", picture) == [
        "0,128,0,0.75", "200,0,0,0.25", "200,0,0,0.00", "0,128,0,1.00",
    ]  # fmt: skip


def test_a_class_without_parts_has_an_empty_row() -> None:
    (*_, last) = re.findall(r"rgba\((\S+)\)", confusion_svg([{"actual": "a", "a": 0, "b": 0}]))
    assert last == "200,0,0,0.00"
