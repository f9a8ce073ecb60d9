import json
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines.lots.journal import Journal
from pipelines.lots.verdict_lines import VerdictLines
from tests.lots import add_passed


def parts(path: Path) -> list[str]:
    return [json.loads(line)["part_id"] for line in path.read_text().splitlines()]


def test_every_verdict_is_a_line_once_and_in_order(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "sub/out.jsonl"
    lines = VerdictLines(path, journal)
    add_passed(journal, "찍힘", "B", to_send=False)
    lines.catch_up()
    add_passed(journal, "C", to_send=False)
    lines.catch_up()
    VerdictLines(path, journal).catch_up()

    assert parts(path) == ["찍힘", "B", "C"]


@pytest.mark.parametrize("n_kept", [0, 1, 100])
def test_a_line_that_was_cut_off_is_written_again(
    tmp_path: Path, journal: Journal, n_kept: int
) -> None:
    path = tmp_path / "out.jsonl"
    add_passed(journal, "A", "B", to_send=False)
    VerdictLines(path, journal).catch_up()
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    path.write_bytes(whole[: first_line + n_kept])
    VerdictLines(path, journal).catch_up()

    assert path.read_bytes() == whole


def test_a_file_that_was_moved_away_is_begun_with_the_next_verdict(
    tmp_path: Path, journal: Journal
) -> None:
    path = tmp_path / "out.jsonl"
    lines = VerdictLines(path, journal)
    add_passed(journal, "A", to_send=False)
    lines.catch_up()
    path.rename(tmp_path / "monday.jsonl")
    add_passed(journal, "B", to_send=False)
    lines.catch_up()
    assert parts(path) == ["B"]

    path.unlink()
    add_passed(journal, "C", to_send=False)
    VerdictLines(path, journal).catch_up()
    assert parts(path) == ["C"]


@pytest.mark.parametrize("text", ["a table\n", '{"a": 1}\n', '{"number": 7}\n', "[]\nhalf"])
def test_a_file_of_something_else_is_left_as_it_is(
    tmp_path: Path, journal: Journal, text: str
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    add_passed(journal, "A", to_send=False)
    with pytest.raises(InspectionError, match="ends with no verdict of this watcher"):
        VerdictLines(path, journal)
    assert path.read_text() == text
