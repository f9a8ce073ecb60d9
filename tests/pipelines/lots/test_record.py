"""Verdicts on lots and folders, as drift monitoring and the review desk read them."""

from pathlib import Path

import pytest

from dashboard.review.queue import from_log
from inspection.monitoring.measures import lot_of, measures
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import FILE, Feedback, LoggedPart, VerdictLog, read_parts
from pipelines.lots.inspect_lot import inspect_lot
from pipelines.lots.lot import find_lot
from pipelines.lots.watch_folder import watch
from tests.bundles import sample_line
from tests.lots import promote_new, put_parts

VERDICTS = Path("verdicts")


def logged() -> list[LoggedPart]:
    return list(read_parts(VERDICTS))


def test_a_lot_stands_in_the_log_once_with_all_that_the_service_logs(project: Path) -> None:
    put_parts(project / "lot", range(4))
    for anew in (False, True):
        inspect_lot(find_lot("lot"), Path("v.parquet"), n_workers=1, anew=anew)
    parts = logged()

    assert [part.part_id for part in parts] == ["0000", "0001", "0002", "0003"]
    assert [part.verdict for part in parts] == ["pass", "reject", "reject", "reject"]
    assert {len(part.views) for part in parts} == {2}
    assert {part.camera for part in parts} == {None}  # each was seen by both
    assert {lot_of(part.request_id) for part in parts} == {parts[0].request_id[:-2]}
    found = measures(parts[1])
    assert 100 < found["brightness of rod"] < 160
    assert {"score of fused", "embedding 1", "rate of parts rejected"} <= found.keys()


def test_another_release_is_another_verdict(project: Path) -> None:
    put_parts(project / "lot", range(1))
    inspect_lot(find_lot("lot"), Path("v.parquet"), n_workers=1)
    promote_new(project, "2")
    inspect_lot(find_lot("lot"), Path("w.parquet"), n_workers=1)

    assert [part.release for part in logged()] == ["1", "2"]


def test_what_is_no_production_is_kept_out_of_it(project: Path) -> None:
    put_parts(project / "lot", range(1))
    inspect_lot(find_lot("lot"), Path("v.parquet"), n_workers=1, log=False)

    assert not (VERDICTS / FILE).exists()


def test_a_folder_that_fills_stands_in_it_by_camera_once_and_feedback_finds_its_parts(
    project: Path,
) -> None:
    one, other = put_parts(project / "incoming", [1])
    other.unlink()
    broken = project / "incoming/Ch00_0002_2.jpg"
    broken.write_bytes(b"no picture")
    for _ in range(2):
        watch(Path("incoming"), out=Path("v.jsonl"), settle_s=0.0, once=True)

    (part,) = logged()  # what was refused has no verdict
    assert (part.part_id, part.camera, part.verdict) == ("0001", "Ch00", "reject")
    assert lot_of(part.request_id) == ""
    assert picture_path(VERDICTS, part.views[0].sha256).read_bytes() == one.read_bytes()

    said = Feedback(
        given_at="2026-11-26T00:00:00+00:00", request_id=None, part_id="0001", label="normal",
        reviewer="Kim",
    )  # fmt: skip
    log = VerdictLog(VERDICTS)
    log.add_feedback(said)
    log.close()
    (asked,) = from_log(logged(), [said], sample_line(), {}, VERDICTS)
    assert (asked.image_sha256, asked.label) == (part.views[0].sha256, "normal")


def test_a_log_that_cannot_be_written_costs_no_verdict_and_is_told_once(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    VERDICTS.write_text("not a folder")
    put_parts(project / "lot", range(2))
    summary = inspect_lot(find_lot("lot"), Path("v.parquet"), n_workers=1)

    assert summary.counts == {"pass": 1, "reject": 1}
    assert len(caplog.messages) == 1
    assert "a verdict is not logged: verdicts" in caplog.text


def test_the_policy_of_the_environment_holds(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNURL_VERDICTS", "elsewhere")
    monkeypatch.setenv("KNURL_PICTURES_MB", "0")
    put_parts(project / "lot", [1])
    inspect_lot(find_lot("lot"), Path("v.parquet"), n_workers=1)

    (part,) = read_parts(Path("elsewhere"))
    assert part.verdict == "reject"
    assert not picture_path(Path("elsewhere"), part.views[0].sha256).exists()
