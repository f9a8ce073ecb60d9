import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from pipelines.lots.journal import Journal, key_of


def row(part_id: str, *hashes: str, verdict: str = "pass", error: str = "") -> dict[str, Any]:
    views = [{"name": f"{number}.jpg", "sha256": one} for number, one in enumerate(hashes)]
    return {"part_id": part_id, "verdict": verdict, "error": error, "views": views}


def test_a_verdict_is_there_in_a_fresh_journal_with_its_frames(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal:
        assert journal.add(row("A", "h0", "h1"), {"0.jpg": (5, 7), "1.jpg": (6, 8)}, to_send=True)

    with closing(Journal(tmp_path / "j.db")) as journal:
        assert journal.handled() == {"0.jpg": (5, 7), "1.jpg": (6, 8)}
        assert journal.hashes_of(["0.jpg", "9.jpg"]) == {"0.jpg": "h0"}
        assert journal.has_verdict("A")
        ((number, line),) = journal.lines_after(0)
        assert number == journal.last_number() == 1
        assert json.loads(line) == {
            "number": 1, "key": key_of(row("A", "h0", "h1")), **row("A", "h0", "h1")
        }  # fmt: skip


def test_the_same_row_is_added_once(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal:
        assert journal.add(row("A", "h"), {"0.jpg": (5, 7)}, to_send=True)
        assert not journal.add(row("A", "h"), {"0.jpg": (5, 9)}, to_send=True)
        assert [number for number, _ in journal.lines_after(0)] == [1]
        assert journal.handled() == {"0.jpg": (5, 9)}


def test_a_part_that_was_refused_has_no_verdict(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal:
        journal.add(row("A", "h", verdict="", error="truncated"), {}, to_send=False)
        assert not journal.has_verdict("A")


def test_what_has_failed_least_is_sent_first_and_what_was_sent_never_again(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal:
        for part_id in "ABC":
            journal.add(row(part_id, "h"), {}, to_send=True)
        journal.add(row("D", "h"), {}, to_send=False)
        journal.mark_failed(1)
        assert [(one.number, one.n_failed) for one in journal.to_send(10)] == [
            (2, 0), (3, 0), (1, 1)
        ]  # fmt: skip
        journal.mark_sent(2)
        assert [one.number for one in journal.to_send(1)] == [3]
        assert journal.n_to_send() == 2


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (row("A", "h1", "h0"), True),
        (row("B", "h0", "h1"), False),
        (row("A", "h0"), False),
        (row("A", "h0", "h1", verdict="", error="late_view"), False),
    ],
)
def test_the_key_is_of_the_part_and_the_hashes_of_its_views(
    other: dict[str, Any], same: bool
) -> None:
    assert (key_of(row("A", "h0", "h1")) == key_of(other)) == same


def test_the_verdict_of_a_release_on_a_part_is_found_and_no_refusal(journal: Journal) -> None:
    refused = row("A", "h0", verdict="", error="truncated") | {"card_sha256": "1"}
    journal.add(refused, {}, to_send=False)
    assert journal.verdict_line("A", "1") is None

    journal.add(row("A", "h1") | {"card_sha256": "1"}, {}, to_send=False)
    journal.add(row("A", "h1") | {"card_sha256": "2"}, {}, to_send=False, key="other")

    numbers = [json.loads(journal.verdict_line("A", card) or "{}")["number"] for card in "12"]
    assert numbers == [2, 3]
    assert journal.verdict_line("A", "3") is None
    assert journal.verdict_line("B", "1") is None


def test_a_line_is_found_by_the_key_that_was_given_for_it(journal: Journal) -> None:
    assert journal.add(row("A", "h0"), {}, to_send=False, key="given")
    assert not journal.add(row("B", "h1"), {}, to_send=False, key="given")

    line = json.loads(journal.line_of("given"))
    assert (line["part_id"], line["key"]) == ("A", "given")
    with pytest.raises(KeyError):
        journal.line_of(key_of(row("A", "h0")))


def test_a_journal_of_another_schema_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "j.db")) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(InspectionError, match=r"j\.db: schema version 9"):
        Journal(tmp_path / "j.db")
