import json
from pathlib import Path

import pytest

from dashboard.review.decisions import (
    BOXES,
    LABEL,
    Decision,
    about,
    append_lines,
    last_of,
    read_journal,
    standing,
)
from inspection.errors import InspectionError


def decision(number: int, answer: str, reviewer: str, what: str = LABEL) -> Decision:
    return Decision(number, "2026-01-02", "a", answer, reviewer, "", about=what)


def taken_back(number: int, undoes: int, reviewer: str) -> Decision:
    return Decision(number, "2026-01-02", "a", "", reviewer, "", undoes=undoes)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [decision(1, "찍힘", "Grace"), decision(2, "[]", "Ada", BOXES)]
    append_lines(tmp_path / "journal", [one.line() for one in written])
    assert read_journal(tmp_path / "journal") == written


def test_a_line_of_a_journal_that_knew_no_boxes_is_about_a_label(tmp_path: Path) -> None:
    old = decision(1, "dent", "Grace").__dict__ | {}
    del old["about"]
    append_lines(tmp_path / "journal", [json.dumps(old)])
    assert read_journal(tmp_path / "journal") == [decision(1, "dent", "Grace")]


def test_a_line_that_is_no_decision_is_named(tmp_path: Path) -> None:
    append_lines(tmp_path / "journal", ['{"number": 1}'])
    with pytest.raises(InspectionError, match="line 1 is no decision"):
        read_journal(tmp_path / "journal")


def test_a_reviewer_has_one_word_about_the_label_and_one_about_the_boxes() -> None:
    votes = standing(
        [
            decision(1, "dent", "Grace"),
            decision(2, "[]", "Grace", BOXES),
            decision(3, "slide", "grace"),
        ]
    )
    assert [vote.answer for vote in about(votes, LABEL)] == ["slide"]
    assert [vote.answer for vote in about(votes, BOXES)] == ["[]"]
    assert standing([]) == []


def test_what_was_taken_back_stands_no_more_and_is_not_the_last_word() -> None:
    lines = [
        decision(1, "dent", "Grace"),
        decision(2, "slide", "Grace"),
        taken_back(3, 2, "Grace"),
        decision(4, "slide", "Ada"),
    ]
    assert {vote.reviewer: vote.answer for vote in standing(lines)} == {
        "Grace": "dent", "Ada": "slide"
    }  # fmt: skip
    assert last_of(lines, "grace") == lines[0]
    assert last_of(lines, "Kim") is None
