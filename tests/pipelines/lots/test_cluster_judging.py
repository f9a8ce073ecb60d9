import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from inspection import cluster_setup
from inspection.cluster import ADDRESS
from inspection.cluster_setup import done_alike, setup
from inspection.errors import InspectionError
from pipelines.lots.cluster_judging import LIBRARIES, judge_there, needed_for
from pipelines.lots.inspect_lot import inspect_lot
from pipelines.lots.judging import current_release
from pipelines.lots.lot import find_lot
from stages.sections import read_yaml
from tests.architecture import ROOT
from tests.clusters import processes_of, scheduler
from tests.lots import environment, put_parts
from tests.waiting import wait_until

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 300.0
N_PARTS, SHARD_PARTS = 60, 5
COMMAND = (sys.executable, "-m", "pipelines.lots.inspect_lot")
SMALL_SHARDS = f"""
import sys
from pathlib import Path
from pipelines.lots.inspect_lot import inspect_lot
from pipelines.lots.lot import find_lot
lot = find_lot("shots")
inspect_lot(lot, Path("out.parquet"), dask=sys.argv[1], shard_parts={SHARD_PARTS})
"""


def test_what_must_be_alike_are_the_libraries_that_the_service_has_of_those_that_matter() -> None:
    lines = (ROOT / "serving/requirements.in").read_text().splitlines()
    served = {line.split()[0] for line in lines if line and not line.startswith("#")}

    assert sorted(LIBRARIES) == sorted(served & read_yaml(ROOT / "libraries.yaml").keys())


def test_another_release_or_frame_is_told_and_a_worker_that_comes_late_refuses(
    project: Path,
) -> None:
    (path, *_) = put_parts(project / "shots", range(1))
    part = find_lot("shots").parts[0]
    release = current_release()
    needed = needed_for(release.folder.absolute(), path)
    judge = pickle.dumps(partial(judge_there, release=release))
    here = setup(needed)
    assert done_alike(judge, needed, here, part).row["verdict"] == "pass"

    (elsewhere := project / "elsewhere").mkdir()
    there = setup(needed_for(elsewhere, elsewhere / "a.jpg"))
    assert list(there.found.values()).count("none") == 2
    path.unlink()
    cluster_setup._check_once.cache_clear()
    with pytest.raises(
        InspectionError,
        match=r"a worker on .* would compute otherwise: bytes of .* none, here \d+;",
    ):
        done_alike(judge, needed, here, part)
    cluster_setup._check_once.cache_clear()


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_as_this_machine_though_a_worker_and_the_run_are_killed(
    project: Path, tmp_path: Path
) -> None:
    put_parts(project / "shots", range(N_PARTS))
    (project / "shots/stranger.jpg").write_bytes(b"")
    (project / "shots/Ch00_0009_9.jpg").write_bytes(b"")
    with scheduler(tmp_path / "dask") as begun:
        workers = begun.add_workers(2)
        run = subprocess.Popen(
            [sys.executable, "-c", SMALL_SHARDS, begun.address], env=environment()
        )
        wait_until(Path("out.parquet.parts/0000.parquet").exists, PATIENCE_S)
        processes_of(workers)[-1].kill()
        wait_until(Path("out.parquet.parts/0003.parquet").exists, PATIENCE_S)
        run.kill()
        run.wait()
        assert not Path("out.parquet").exists()

        lot = find_lot("shots")
        out = Path("out.parquet")
        summary = inspect_lot(lot, out, dask=begun.address, shard_parts=SHARD_PARTS)
    assert 0 < summary.n_judged < N_PARTS

    inspect_lot(lot, Path("local.parquet"), n_workers=1, shard_parts=SHARD_PARTS)
    assert out.read_bytes() == Path("local.parquet").read_bytes()
    assert pd.read_parquet(out)["part_id"].is_unique


@pytest.mark.slow
def test_the_command_asks_the_scheduler_that_the_environment_names(
    project: Path, dask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_parts(project / "shots", range(4))
    done = subprocess.run(
        [*COMMAND, "shots", "--out", "out.parquet"],
        env=environment() | {ADDRESS: dask}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out.parquet: 4 parts: 1 pass, 0 review, 3 reject, 0 refused; ")
    assert len(done.stderr.splitlines()) == 1

    # here is another library now, and so all of them are others
    monkeypatch.setattr(cluster_setup, "version", lambda name: "0.1")
    with pytest.raises(
        InspectionError,
        match=r"3 of 3 processes would compute otherwise: the scheduler: dask \S+, here 0\.1, "
        r"distributed .*; worker tcp://.*; start scheduler and workers in a checkout of this",
    ):
        inspect_lot(find_lot("shots"), Path("more.parquet"), dask=dask)


@pytest.mark.slow
def test_processes_without_the_project_are_a_line(project: Path, tmp_path: Path) -> None:
    put_parts(project / "shots", range(2))
    with scheduler(tmp_path / "dask", {}) as begun:
        begun.add_workers(1)
        with pytest.raises(
            InspectionError,
            match=r"2 of 2 processes would compute otherwise: the scheduler: cannot run this proj",
        ):
            inspect_lot(find_lot("shots"), Path("out.parquet"), dask=begun.address)


def test_workers_here_and_a_cluster_exclude_each_other(project: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "shots", "--out", "out.parquet", "--workers", "1", "--dask", "tcp://plant:1"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "argument --dask: not allowed with argument --workers" in done.stderr
