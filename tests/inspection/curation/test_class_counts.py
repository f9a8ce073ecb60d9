import pandas as pd
import pytest

from inspection.curation.class_counts import check_classes
from inspection.errors import InspectionError
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "good",
        "classes": {"good": {}, "dent": {}},
        "regions": {"rod": {"size_px": [32, 32], "shows": ["dent"]}},
        "classify": "rod",
        "detect_anomalies": "rod",
    }
)


def views(good: int, dent: int, held: str = "") -> pd.DataFrame:
    """One view of each of so many parts; `held` are letters of the held ones' parts."""
    labels = ["good"] * good + ["dent"] * dent
    table = pd.DataFrame({"label": labels, "part_id": [f"p{i}" for i in range(len(labels))]})
    if not held:
        return table
    is_held = table["label"] == held
    return table.assign(held=is_held, held_reason=is_held.map({True: "box_conflict: x", False: ""}))


def test_two_parts_of_each_class_are_enough() -> None:
    check_classes(views(2, 2), LINE)


@pytest.mark.parametrize(
    ("table", "lack"),
    [
        (views(1, 2), "the normal class 'good' has one part"),
        (views(2, 1), "class 'dent' has one part"),
        (views(2, 0), "no views; add some, .* line.classes.dent.aliases"),
        (views(2, 3, held="dent"), r"0 part\(s\) left .* 3 views are held \(3 by box_conflict\)"),
    ],
)
def test_a_class_that_lacks_parts_is_named(table: pd.DataFrame, lack: str) -> None:
    with pytest.raises(InspectionError, match=lack):
        check_classes(table, LINE)


def test_two_views_of_one_part_are_one_part() -> None:
    table = pd.concat([views(2, 1), views(2, 1).tail(1)])
    with pytest.raises(InspectionError, match="class 'dent' has one part"):
        check_classes(table, LINE)


def test_all_classes_that_lack_parts_are_named_at_once() -> None:
    with pytest.raises(InspectionError) as caught:
        check_classes(views(1, 1), LINE)
    assert len(str(caught.value).splitlines()) == 2
