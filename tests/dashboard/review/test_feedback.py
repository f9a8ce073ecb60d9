"""What the desk says of a picture of the service, as the verdict log holds it."""

from pathlib import Path

import pytest

from dashboard.review.feedback import due_words, of_others, settle
from dashboard.review.journal import Journal, Places
from inspection.curation.box_reviews import BOX_REVIEW_COLUMNS
from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.errors import InspectionError
from inspection.runtime.verdict_log import (
    FILE,
    Feedback,
    LoggedPart,
    LoggedView,
    VerdictLog,
    read_feedback,
)
from tests.bundles import sample_line

PICTURE, IN_DATA = "f" * 64, "a" * 64
LINE = sample_line()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    folder = tmp_path / "reviews"
    folder.mkdir()
    found = Places(
        folder / "decisions.jsonl", folder / "labels.csv", folder / "boxes.csv", tmp_path / "lock"
    )
    found.labels.write_text(",".join(REVIEW_COLUMNS) + "\n", encoding="utf-8")
    found.boxes.write_text(",".join(BOX_REVIEW_COLUMNS) + "\n", encoding="utf-8")
    return found


@pytest.fixture
def journal(places: Places) -> Journal:
    return Journal(LINE, {IN_DATA}, places)


@pytest.fixture
def verdicts(tmp_path: Path) -> Path:
    """A log that has sent one part to review."""
    folder = tmp_path / "verdicts"
    view = LoggedView(
        name="a.jpg", sha256=PICTURE, width_px=320, height_px=256, verdict="review", label="dent",
        scores={}, thresholds={}, probabilities={}, regions={}, embedding=[],
    )  # fmt: skip
    log = VerdictLog(folder)
    log.record(
        LoggedPart(
            request_id="r1", part_id="A-17", camera=None, taken_at=None,
            answered_at="2026-01-02T03:04:05.000", latency_ms=1.0, line=LINE.name, release="v1",
            card_sha256="", verdict="review", label="dent", worst_view="a.jpg", views=[view],
        )
    )  # fmt: skip
    log.close()
    return folder


def words(verdicts: Path) -> list[tuple[str, str]]:
    return [(one.label, one.reviewer) for one in read_feedback(verdicts)]


def say(journal: Journal, verdicts: Path, answer: str, reviewer: str) -> None:
    journal.decide(PICTURE, answer, reviewer, request_id="r1")
    settle(journal, verdicts)


def take_back(journal: Journal, verdicts: Path, reviewer: str) -> None:
    journal.undo(reviewer)
    settle(journal, verdicts)


def test_what_is_undone_is_withdrawn_and_can_be_said_anew(journal: Journal, verdicts: Path) -> None:
    say(journal, verdicts, "slide", "Grace")
    assert words(verdicts) == [("slide", "Grace")]
    take_back(journal, verdicts, "Grace")
    assert words(verdicts) == []
    say(journal, verdicts, "dent", "Grace")
    assert words(verdicts) == [("dent", "Grace")]


def test_two_who_disagree_say_nothing_until_a_third_speaks(
    journal: Journal, verdicts: Path
) -> None:
    say(journal, verdicts, "slide", "Grace")
    say(journal, verdicts, "dent", "Ada")
    assert words(verdicts) == []
    say(journal, verdicts, "dent", "Kim")
    assert words(verdicts) == [("dent", "Ada")]
    # without Ada it is one against one, and without Kim too Grace's word stands again
    take_back(journal, verdicts, "Ada")
    assert words(verdicts) == []
    take_back(journal, verdicts, "Kim")
    assert words(verdicts) == [("slide", "Grace")]


@pytest.mark.parametrize("answer", ["vague", "-"])
def test_what_is_settled_on_no_class_is_no_feedback(
    journal: Journal, verdicts: Path, answer: str
) -> None:
    say(journal, verdicts, "dent", "Grace")
    say(journal, verdicts, answer, "Grace")
    say(journal, verdicts, answer, "Ada")
    assert words(verdicts) == []


def test_what_came_by_the_service_stays_whatever_the_desk_takes_back(
    journal: Journal, verdicts: Path
) -> None:
    posted = Feedback(
        given_at="2026-01-03", request_id="r1", part_id=None, label="slide", reviewer="Grace"
    )
    log = VerdictLog(verdicts)
    log.add_feedback(posted)
    log.close()

    say(journal, verdicts, "dent", "Grace")
    assert words(verdicts) == [("slide", "Grace"), ("dent", "Grace")]
    assert of_others(read_feedback(verdicts), journal.decisions()) == [posted]
    take_back(journal, verdicts, "Grace")
    assert read_feedback(verdicts) == [posted]


def test_a_process_killed_between_the_journal_and_the_log_loses_no_word(
    journal: Journal, verdicts: Path
) -> None:
    journal.decide(PICTURE, "slide", "Grace", request_id="r1")
    assert words(verdicts) == []
    settle(journal, verdicts)
    settle(journal, verdicts)
    assert words(verdicts) == [("slide", "Grace")]
    assert due_words(journal.decisions(), read_feedback(verdicts), journal.known) == []

    journal.undo("Grace")
    settle(journal, verdicts)
    assert words(verdicts) == []


def test_of_a_picture_that_is_in_the_data_the_tables_hold_the_label(
    places: Places, verdicts: Path
) -> None:
    journal = Journal(LINE, {PICTURE}, places)
    say(journal, verdicts, "slide", "Grace")
    assert words(verdicts) == []
    assert f"{PICTURE},slide,Grace," in places.labels.read_text()


def test_a_log_that_was_begun_anew_is_not_asked_about_what_it_does_not_know(
    journal: Journal, verdicts: Path
) -> None:
    journal.decide(PICTURE, "slide", "Grace", request_id="r1")
    (verdicts / FILE).unlink()
    settle(journal, verdicts)
    VerdictLog(verdicts).close()
    settle(journal, verdicts)
    assert words(verdicts) == []


def test_what_the_data_took_since_cannot_be_undone_in_silence(
    journal: Journal, places: Places, verdicts: Path
) -> None:
    """The row is what `take_feedback` writes; the next run has not read it yet."""
    say(journal, verdicts, "slide", "Grace")
    with places.labels.open("a", encoding="utf-8") as table:
        table.write(f"{PICTURE},slide,Grace,feedback on request r1\n")
    with pytest.raises(InspectionError, match="run `dvc repro` and decide anew"):
        journal.undo("Grace")
    assert words(verdicts) == [("slide", "Grace")]
