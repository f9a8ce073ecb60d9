"""What a power cut leaves of DVC's state, and that the real DVC goes on after the repair."""

from pathlib import Path

import pytest

from pipelines.dvc_process import Dvc
from pipelines.dvc_state import KEPT, LOCKED, RWLOCK, repaired

CUT_OFF = {"empty": b"", "zeros": bytes(40), "half": b"schema: '2"}


def stages_run() -> tuple[list[bool], list[str]]:
    """Which stages the real DVC runs, by `make repro` and the flow, and what is printed."""
    lines: list[str] = []
    with Dvc(lines.append) as dvc:
        return [dvc.run(stage, lines.append) for stage in dvc.stages], lines


@pytest.mark.slow
@pytest.mark.parametrize("content", CUT_OFF.values(), ids=CUT_OFF)
def test_dvc_goes_on_after_a_power_cut_and_computes_nothing_twice(
    project: Path, content: bytes
) -> None:
    stages_run()
    whole = LOCKED.read_bytes()
    LOCKED.write_bytes(content)
    RWLOCK.write_bytes(content)

    _, lines = stages_run()

    assert any("dvc.lock: was cut off" in line for line in lines)
    assert "doubling" not in lines  # what the stage says when it runs
    assert LOCKED.read_bytes() == whole
    assert KEPT.read_bytes() == content


@pytest.mark.parametrize("content", CUT_OFF.values(), ids=CUT_OFF)
def test_both_files_are_taken_away_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    RWLOCK.parent.mkdir(parents=True)
    for path in (RWLOCK, LOCKED):
        path.write_bytes(content)

    assert len(repaired()) == 2
    assert not RWLOCK.exists()
    assert not LOCKED.exists()


def test_whole_files_and_missing_ones_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert repaired() == []

    RWLOCK.parent.mkdir(parents=True)
    RWLOCK.write_text("{}")
    LOCKED.write_text("schema: '2.0'\nstages: {}\n")
    assert repaired() == []
    assert (RWLOCK.exists(), LOCKED.exists()) == (True, True)
