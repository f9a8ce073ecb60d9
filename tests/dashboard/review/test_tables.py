from pathlib import Path

import pytest

from dashboard.review.decisions import Decision
from dashboard.review.labels import LabelTable
from dashboard.review.tables import by_hand, read_rows, text_of, wanted_rows
from inspection.errors import InspectionError
from tests.bundles import sample_line

TABLE = LabelTable(sample_line())
COLUMNS = TABLE.columns


def decision(number: int, sha256: str, answer: str, reviewer: str) -> Decision:
    return Decision(number, "2026-01-02", sha256, answer, reviewer, "")


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [("a", "dent", "Kim", 'a, "b"'), ("b", "-", "", "")]
    (tmp_path / "t.csv").write_text(text_of(rows, COLUMNS), encoding="utf-8")
    assert read_rows(tmp_path / "t.csv", COLUMNS) == rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sha,label\n", "the columns are"),
        ("", "the columns are"),
        ("image_sha256,label,reviewer,note\na,dent,Kim,one, two\n", "has 5 fields, not 4"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InspectionError, match=problem):
        read_rows(path, COLUMNS)
    path.unlink()
    with pytest.raises(InspectionError, match="make it with the one line 'image_sha256"):
        read_rows(path, COLUMNS)


def test_what_the_journal_has_ever_said_is_not_by_hand() -> None:
    lines = [decision(1, "a", "dent", "Grace"), decision(2, "a", "slide", "Grace")]
    rows = [("a", "dent", "Grace", ""), ("a", "normal", "Grace", "")]
    assert [vote.answer for vote in by_hand(lines, rows, TABLE)] == ["normal"]


def test_rows_of_others_stay_and_what_is_settled_follows() -> None:
    lines = [
        decision(1, "a", "dent", "Grace"),
        decision(2, "b", "dent", "Grace"),
        decision(3, "b", "slide", "Ada"),
        decision(4, "gone", "dent", "Grace"),
    ]
    rows = [("c", "Bent", "Kim", "by hand"), ("b", "dent", "Grace", "")]
    assert wanted_rows(lines, rows, {"a", "b", "c"}, TABLE) == [
        ("c", "Bent", "Kim", "by hand"),
        ("a", "dent", "Grace", ""),
    ]
