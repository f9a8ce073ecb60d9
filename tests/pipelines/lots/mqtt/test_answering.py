import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipelines.lots.champion import Champion
from pipelines.lots.journal import Journal
from pipelines.lots.mqtt.answering import Answering
from pipelines.lots.mqtt.message import Reader
from pipelines.lots.record import Record
from tests.brokers import part_message
from tests.bundles import draw_jpeg
from tests.lots import promote_new


@pytest.fixture
def answering(project: Path) -> Iterator[Answering]:
    """What answers in a project, with files in its folder."""
    releases = project / "models/releases"
    with closing(Journal(project / "j.db")) as journal, closing(Record()) as record:
        yield Answering(Reader(project), Champion(releases), journal, record)


def answer(answering: Answering, message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answering.answer(json.dumps(message).encode()))
    return found


def test_a_part_that_comes_again_has_the_same_line_whatever_its_message_says_besides(
    answering: Answering,
) -> None:
    message = part_message("A", a=draw_jpeg("dent"), b=draw_jpeg())
    first = answer(answering, message)
    fewer = part_message("A", other=draw_jpeg()) | {"camera": "Ch00"}

    assert (first["verdict"], first["number"]) == ("reject", 1)
    assert answer(answering, message) == answer(answering, fewer) == first


def test_other_pictures_of_a_part_that_has_its_verdict_are_told_as_late(
    answering: Answering,
) -> None:
    """As of a number that is given out again: the verdict of before says nothing of them."""
    first = answer(answering, part_message("A", a=draw_jpeg()))
    dented = part_message("A", a=draw_jpeg(), b=draw_jpeg("dent"))
    late = answer(answering, dented)

    assert (first["verdict"], first["error"]) == ("pass", "")
    assert (late["verdict"], late["error"]) == ("", "late_view")
    assert late["reasons"] == ["b: came after the part was judged"]
    assert answer(answering, dented) == late


def test_a_part_whose_files_are_gone_keeps_its_verdict(answering: Answering, project: Path) -> None:
    """Who has the verdict may clear up, and the message come once more after a kill."""
    (project / "a.jpg").write_bytes(draw_jpeg("dent"))
    message = {"part_id": "A", "views": [{"path": "a.jpg"}]}
    first = answer(answering, message)
    (project / "a.jpg").unlink()

    assert answer(answering, message) == first


def test_a_part_that_was_refused_is_judged_when_it_can_be_read(
    answering: Answering, project: Path
) -> None:
    message = {"part_id": "A", "views": [{"path": "a.jpg"}]}
    assert answer(answering, message)["error"] == "unreadable"
    assert answer(answering, message)["number"] == 1

    (project / "a.jpg").write_bytes(draw_jpeg())
    judged = answer(answering, message)
    assert (judged["verdict"], judged["number"]) == ("pass", 2)


def test_a_folder_or_a_pipe_for_a_file_is_unreadable_and_not_waited_for(
    answering: Answering, project: Path
) -> None:
    import os

    os.mkfifo(project / "pipe")
    (project / "loop").symlink_to("loop")
    for name in ("pipe", "models", "loop", "a" * 300):
        message = {"part_id": "A", "views": [{"path": name}]}
        assert answer(answering, message)["error"] == "unreadable"

    answer(answering, part_message("B", a=draw_jpeg()))
    again = {"part_id": "B", "views": [{"path": "pipe"}]}
    assert answer(answering, again)["verdict"] == "pass"


def test_a_frame_with_more_bytes_than_its_pixels_could_have_is_refused(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.lots.judging.MAX_PIXEL_BYTES", 0)
    content = draw_jpeg() + bytes(2**20)
    assert answer(answering, part_message("A", a=content))["error"] == "too_large"


def test_the_next_release_judges_a_part_anew(answering: Answering, project: Path) -> None:
    message = part_message("A", a=draw_jpeg())
    first = answer(answering, message)
    promote_new(project, "2")
    second = answer(answering, message)

    assert [first["release"], second["release"]] == ["1", "2"]
    assert first["key"] != second["key"]
    assert answer(answering, message) == second


def test_a_message_that_is_no_part_has_a_row_of_its_own(answering: Answering) -> None:
    first = json.loads(answering.answer(b"{"))
    second = json.loads(answering.answer(b"["))

    assert first["error"] == second["error"] == "bad_message"
    assert first["message_sha256"] != second["message_sha256"]
    assert [first["number"], second["number"]] == [1, 2]
    assert json.loads(answering.answer(b"{")) == first
