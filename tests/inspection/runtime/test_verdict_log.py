import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.runtime.detectors import Thresholds
from inspection.runtime.verdict_log import (
    APPEND_ONLY,
    FILE,
    WITHDRAWN,
    Feedback,
    LoggedBox,
    LoggedPart,
    LoggedView,
    RegionLook,
    UnknownPartError,
    VerdictLog,
    daily_verdicts,
    last_request,
    read_doubtful,
    read_feedback,
    read_parts,
)
from tests.architecture import ROOT

LIMITS = Thresholds(accept_below=0.3, reject_above=0.9)
BOX = LoggedBox(
    x_px=3, y_px=4, width_px=5, height_px=6, region="rod", found_by="classifier", heat=0.9
)
LOOK = RegionLook(x_px=1, y_px=2, width_px=30, height_px=20, brightness=99.5, focus=0.25)


def logged(request_id: str, part_id: str | None = "A1", *, second: int = 0) -> LoggedPart:
    view = LoggedView(
        name="널링.jpg",
        sha256="ab" * 32,
        width_px=320,
        height_px=256,
        verdict="reject",
        label="dent",
        scores={"classifier": 0.97},
        thresholds={"classifier": LIMITS},
        probabilities={"normal": 0.03, "dent": 0.97},
        regions={"rod": LOOK},
        embedding=[0.5, -1.25],
        boxes=[BOX],
        reasons=["fused score 0.97 is above 0.9"],
    )
    return LoggedPart(
        request_id=request_id,
        part_id=part_id,
        camera="Ch00",
        taken_at="2026-11-25T06:30:00+09:00",
        answered_at=f"2026-11-25T10:00:{second:02d}.000+00:00",
        latency_ms=12.5,
        line="test-line",
        release="1",
        card_sha256="cd" * 32,
        verdict="reject",
        label="dent",
        worst_view="널링.jpg",
        views=[view, view.model_copy(update={"name": "b.jpg"})],
    )


def said(**of: str) -> Feedback:
    ids = {"part_id": None, "request_id": None} | of
    return Feedback(given_at="2026-11-25T11:00:00.000+00:00", label="slide", reviewer="Kim", **ids)


@pytest.fixture
def log(tmp_path: Path) -> VerdictLog:
    return VerdictLog(tmp_path)


def test_what_is_recorded_is_read_back_as_it_was(log: VerdictLog, tmp_path: Path) -> None:
    parts = [logged("r1"), logged("r2", None, second=1)]
    for part in parts:
        log.record(part)

    assert list(read_parts(tmp_path)) == parts
    assert log.parts_of("A1") == parts[:1]


def test_a_log_that_is_opened_again_goes_on(log: VerdictLog, tmp_path: Path) -> None:
    log.record(logged("r1"))
    log.close()
    VerdictLog(tmp_path).record(logged("r2", second=1))

    assert [part.request_id for part in read_parts(tmp_path)] == ["r1", "r2"]


def test_a_reader_may_begin_at_a_time(log: VerdictLog, tmp_path: Path) -> None:
    for second in range(3):
        log.record(logged(f"r{second}", second=second))

    since = "2026-11-25T10:00:01.000+00:00"
    assert [part.request_id for part in read_parts(tmp_path, since=since)] == ["r1", "r2"]


def test_a_clock_that_is_set_back_reorders_and_hides_nothing(
    log: VerdictLog, tmp_path: Path
) -> None:
    for number, second in enumerate((30, 40, 10, 20)):
        log.record(logged(f"r{number}", second=second))
    for number, at in enumerate(("12:00", "11:00")):
        note = {"given_at": f"2026-11-25T{at}:00.000+00:00", "note": str(number)}
        log.add_feedback(said(part_id="A1").model_copy(update=note))

    assert [part.request_id for part in read_parts(tmp_path)] == ["r0", "r1", "r2", "r3"]
    assert [part.request_id for part in log.parts_of("A1")] == ["r0", "r1", "r2", "r3"]
    since = "2026-11-25T10:00:40.000+00:00"
    later = read_parts(tmp_path, after="r1", since=since)
    assert [part.request_id for part in later] == ["r2", "r3"]
    assert [one.note for one in log.feedback_on("A1")] == ["0", "1"]
    assert last_request(tmp_path) == "r3"


def test_after_a_request_of_another_log_the_time_counts(log: VerdictLog, tmp_path: Path) -> None:
    for second in range(3):
        log.record(logged(f"r{second}", second=second))

    since = "2026-11-25T10:00:01.000+00:00"
    later = read_parts(tmp_path, after="gone with the old log", since=since)
    assert [part.request_id for part in later] == ["r1", "r2"]


def test_verdicts_are_counted_by_day_and_release_of_one_line(
    log: VerdictLog, tmp_path: Path
) -> None:
    first = logged("r1")
    for number, changes in enumerate(
        [
            {},
            {"verdict": "pass"},
            {"verdict": "pass", "answered_at": "2026-11-26T00:00:00.000+00:00"},
            {"verdict": "pass", "release": "2"},
            {"line": "other"},
        ]
    ):
        log.record(first.model_copy(update={"request_id": f"r{number}"} | changes))
    found = daily_verdicts(tmp_path, "test-line", n_days=2)
    assert [(one.day, one.release, one.verdict, one.n) for one in found] == [
        ("2026-11-26", "1", "pass", 1),
        ("2026-11-25", "2", "pass", 1),
        ("2026-11-25", "1", "pass", 1),
        ("2026-11-25", "1", "reject", 1),
    ]
    (last,) = daily_verdicts(tmp_path, "test-line", n_days=1)
    assert last.day == "2026-11-26"


def test_what_waits_for_a_person_is_read_latest_first_where_its_picture_was_kept(
    log: VerdictLog, tmp_path: Path
) -> None:
    parts = {
        "reviewed": logged("reviewed", "A").model_copy(update={"verdict": "review"}),
        "no picture": logged("no picture", "B").model_copy(update={"verdict": "review"}),
        "passed": logged("passed", "C").model_copy(update={"verdict": "pass"}),
        "told by part": logged("told by part", "D"),
        "told by request": logged("told by request", None),
    }
    for name, part in parts.items():
        sha256 = name.encode().hex()
        views = [view.model_copy(update={"sha256": sha256}) for view in part.views]
        log.record(part.model_copy(update={"views": views}))
        if name != "no picture":
            log.note_picture(sha256, "2026-11-25", "review", 10)
    said = Feedback(given_at="t", request_id=None, part_id="D", label="dent", reviewer="eve")
    log.add_feedback(said)
    log.add_feedback(said.model_copy(update={"part_id": None, "request_id": "told by request"}))

    found = read_doubtful(tmp_path, "test-line", at_most=9)
    assert [part.request_id for part in found] == ["told by request", "told by part", "reviewed"]
    assert len(found[0].views) == 2
    (latest,) = read_doubtful(tmp_path, "test-line", at_most=1)
    assert latest.request_id == "told by request"
    assert read_doubtful(tmp_path, "another", at_most=9) == []


def test_a_log_of_before_gets_the_indexes_when_it_is_opened(
    log: VerdictLog, tmp_path: Path
) -> None:
    log.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("DROP INDEX parts_by_day")
    VerdictLog(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM parts WHERE line = 'a' "
            "AND substr(answered_at, 1, 10) > 'b' GROUP BY substr(answered_at, 1, 10), release"
        ).fetchall()
    # nothing is sorted, and days of before are not looked at
    assert [row[-1] for row in plan] == [
        "SEARCH parts USING INDEX parts_by_day (line=? AND <expr>>?)"
    ]


def test_before_the_first_verdict_there_is_no_last_request(log: VerdictLog, tmp_path: Path) -> None:
    assert last_request(tmp_path) == ""


def test_feedback_on_a_part_or_on_a_request_belongs_to_the_part(
    log: VerdictLog, tmp_path: Path
) -> None:
    log.record(logged("r1"))
    numbers = [log.add_feedback(said(part_id="A1")), log.add_feedback(said(request_id="r1"))]

    assert numbers == [1, 2]
    assert log.feedback_on("A1") == [said(part_id="A1"), said(request_id="r1")]
    assert read_feedback(tmp_path) == log.feedback_on("A1")


def test_a_word_that_is_withdrawn_does_not_stand_until_it_is_said_again(
    log: VerdictLog, tmp_path: Path
) -> None:
    """Only the word of this reviewer, time and request; the rows stay, as rows do."""
    log.record(logged("r1"))
    word = said(request_id="r1")
    other = word.model_copy(update={"reviewer": "Ada"})
    log.add_feedback(word)
    log.add_feedback(other)
    log.add_feedback(word.model_copy(update={"label": WITHDRAWN}))
    assert read_feedback(tmp_path) == log.feedback_on("A1") == [other]
    assert log.add_feedback(word) == 4
    assert read_feedback(tmp_path) == [other, word]


@pytest.mark.parametrize("of", [{"part_id": "A2"}, {"request_id": "A1"}, {"part_id": ""}])
def test_feedback_on_what_was_never_inspected_is_refused(
    log: VerdictLog, of: dict[str, str]
) -> None:
    log.record(logged("r1"))

    with pytest.raises(UnknownPartError):
        log.add_feedback(said(**of))
    assert log.feedback_on("A1") == []


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"])
def test_rows_are_added_and_never_changed(
    log: VerdictLog, tmp_path: Path, table: str, change: str
) -> None:
    log.record(logged("r1"))
    log.add_feedback(said(part_id="A1"))
    log.note_picture("ab" * 32, "2026", "reject", 10)
    log.note_eviction("ab" * 32, "2027")

    with pytest.raises(sqlite3.IntegrityError, match="rows are added only"):
        sqlite3.connect(tmp_path / FILE).execute(change.format(table))


def test_a_request_is_recorded_once_and_whole(log: VerdictLog, tmp_path: Path) -> None:
    assert [log.record(logged("r1")), log.record(logged("r1"))] == [True, False]

    (part,) = read_parts(tmp_path)
    assert len(part.views) == 2


def test_several_threads_may_record(log: VerdictLog, tmp_path: Path) -> None:
    def record(first: int) -> None:
        for number in range(first, first + 20):
            log.record(logged(f"r{number}"))

    threads = [threading.Thread(target=record, args=[100 * i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list(read_parts(tmp_path))) == 80


def test_a_log_is_read_while_another_process_writes_and_is_killed(tmp_path: Path) -> None:
    """Whatever `record` has returned for is there after kill -9."""
    code = (
        "import sys; from pathlib import Path\n"
        "from inspection.runtime.verdict_log import VerdictLog\n"
        "from tests.inspection.runtime.test_verdict_log import logged\n"
        "log = VerdictLog(Path(sys.argv[1]))\n"
        "for number in range(10**6):\n"
        "    log.record(logged(f'r{number}'))\n"
        "    print(number, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 50:
                os.kill(process.pid, signal.SIGKILL)
                break
        rest = process.stdout.read().split()

    n_recorded = int(rest[-1]) + 1 if rest else 51
    found = [part.request_id for part in read_parts(tmp_path)]
    assert len(found) in (n_recorded, n_recorded + 1)
    assert found[:n_recorded] == [f"r{number}" for number in range(n_recorded)]


def test_a_full_disk_refuses_a_row_and_the_log_goes_on_when_there_is_room(
    log: VerdictLog, tmp_path: Path
) -> None:
    log.record(logged("r1"))
    connection = log._connection
    (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {n_pages}")

    def fill() -> None:
        for number in range(2, 1000):
            log.record(logged(f"r{number}"))

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill()

    connection.execute("PRAGMA max_page_count = 1000000")
    log.record(logged("later"))
    assert [part.request_id for part in read_parts(tmp_path)][-1] == "later"


def test_without_a_log_a_reader_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match="no verdict log; start the service"):
        list(read_parts(tmp_path))


def test_a_log_of_another_schema_is_not_written(log: VerdictLog, tmp_path: Path) -> None:
    log.close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(InspectionError, match="schema version 9"):
        VerdictLog(tmp_path)


def test_a_log_of_before_boxes_is_read_and_goes_on(log: VerdictLog, tmp_path: Path) -> None:
    log.record(logged("earlier"))
    log.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        for column in ("boxes", "reasons"):
            connection.execute(f"ALTER TABLE views DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    view = next(read_parts(tmp_path)).views[0]
    assert (view.boxes, view.reasons, view.scores) == ([], [], {"classifier": 0.97})

    again = VerdictLog(tmp_path)
    again.record(logged("later"))
    again.close()
    earlier, later = (part.views[0] for part in read_parts(tmp_path))
    assert (earlier.boxes, later.boxes) == ([], [BOX])
    VerdictLog(tmp_path).close()


def test_a_log_is_of_schema_version_2_and_waits_for_a_lock_for_a_second(
    log: VerdictLog, tmp_path: Path
) -> None:
    """A log of the factory is read for years: another number refuses every one that is there."""
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()

    (waits_ms,) = log._connection.execute("PRAGMA busy_timeout").fetchone()
    assert waits_ms == 1000
