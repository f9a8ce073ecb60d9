"""What a power cut leaves of DVC's state, and that the real DVC goes on after the repair."""

from pathlib import Path

import pytest

from pipelines.dvc_process import Dvc
from pipelines.dvc_state import KEPT, LOCKED, RWLOCK, repaired
from stages.sections import read_yaml
from tests.architecture import ROOT

CUT_OFF = {
    "empty": b"",
    "zeros": bytes(40),
    "half": b"schema: '2",
    "without stages": b"schema: '2.0'\nstages:\n",
}
# Of the bytes of dvc.lock: within the first stage there is every kind of line that DVC writes.
N_BYTES = 2000


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

    RWLOCK.write_bytes(content[:10])

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


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # DVC's own
def test_of_all_cuts_of_a_lock_file_those_are_left_that_dvc_reads_and_whose_lines_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.dvcfile import Lockfile
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    whole = (ROOT / LOCKED).read_bytes()[:N_BYTES]
    left = list[int]()
    with Repo.init(no_scm=True) as repo:
        for end in range(1, len(whole)):
            LOCKED.write_bytes(whole[:end])
            repaired()
            if LOCKED.exists():
                Lockfile(repo, str(LOCKED)).load()
                left.append(end)
    # after each stage's line of an input or output there, and after its lines of digests
    assert 50 < len(left) <= whole.count(b"\n")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # DVC's own
def test_wherever_a_lock_file_was_cut_dvc_goes_on_and_computes_nothing_twice(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from dvc.repo import Repo

    with Repo() as repo:
        repo.reproduce()
    whole, recorded = LOCKED.read_bytes(), digests()
    capfd.readouterr()
    after_lines = {end + 1 for end in range(len(whole)) if whole[end : end + 1] == b"\n"}
    for end in sorted(after_lines | {*range(0, len(whole), 17)}):
        LOCKED.write_bytes(whole[:end])
        repaired()
        with Repo() as repo:
            repo.reproduce()
        assert digests() == recorded
    assert "doubling" not in capfd.readouterr().err


def digests() -> set[tuple[str, str, str]]:
    """By stage and path, in any order; a cut may have taken the size that DVC notes beside."""
    stages = read_yaml(LOCKED)["stages"].items()
    files = [(name, file) for name, one in stages for file in (*one["deps"], *one["outs"])]
    return {(name, file["path"], file["md5"]) for name, file in files}
