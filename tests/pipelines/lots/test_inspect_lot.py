import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from inspection.errors import InspectionError
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion
from inspection.runtime.views import View
from inspection.storage import locked
from pipelines.lots.inspect_lot import inspect_lot
from pipelines.lots.lot import find_lot
from tests.lots import environment, promote_new, put_parts

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 120.0

COMMAND = (sys.executable, "-m", "pipelines.lots.inspect_lot")
# Some twelve shards: a kill after the first one leaves most of the work.
N_PARTS, SHARD_PARTS = 60, 5
SMALL_SHARDS = f"""
from pathlib import Path
from pipelines.lots.inspect_lot import inspect_lot
from pipelines.lots.lot import find_lot
inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=2, shard_parts={SHARD_PARTS})
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=environment(), capture_output=True, text=True, check=False
    )


def test_each_part_has_one_row_with_the_verdict_of_the_inspector(project: Path) -> None:
    paths = put_parts(project / "shots", range(8))
    (project / "shots/stranger.jpg").write_bytes(b"")
    (project / "shots/Ch00_0009_9.jpg").write_bytes(b"")
    summary = inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=2)
    table = pd.read_parquet("out.parquet")

    assert list(table["part_id"]) == ["", *(f"{number:04d}" for number in range(8)), "0009"]
    inspector = Inspector(champion(Path("models/releases")))
    pairs = zip(paths[::2], paths[1::2], strict=True)
    for row, pair in zip(table[1:9].itertuples(), pairs, strict=True):
        found = inspector.inspect([View(path.name, path.read_bytes()) for path in pair])
        assert (row.verdict, row.label) == (found.verdict, found.label)
        worst = next(view for view in found.views if view.name == found.worst_view)
        assert json.loads(row.scores) == worst.scores
    assert list(table["error"][[0, 9]]) == ["name_not_understood", "empty"]
    assert summary.counts == {"pass": 2, "reject": 6, "": 2}
    assert "10 parts: 2 pass, 0 review, 6 reject, 2 refused; " in str(summary)


def test_the_number_of_workers_and_shards_changes_no_byte(project: Path) -> None:
    put_parts(project / "shots", range(12))
    lot = find_lot("shots")
    inspect_lot(lot, Path("one.parquet"), n_workers=1, shard_parts=5)
    inspect_lot(lot, Path("two.parquet"), n_workers=2, shard_parts=5)

    assert Path("one.parquet").read_bytes() == Path("two.parquet").read_bytes()


def test_a_lot_that_is_finished_is_not_judged_again(project: Path) -> None:
    put_parts(project / "shots", range(2))
    inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=1)
    before = Path("out.parquet").stat()
    again = inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=1)

    assert str(again).endswith("2 parts: 1 pass, 0 review, 1 reject, 0 refused; all of them "
                               "judged before")  # fmt: skip
    assert Path("out.parquet").stat() == before


def test_the_command_judges_a_lot_and_refuses_to_go_on_with_another_champion(
    project: Path,
) -> None:
    put_parts(project / "shots", range(4))
    done = run("shots", "--out", "out.parquet", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out.parquet: 4 parts: 1 pass, 0 review, 3 reject, 0 refused; ")
    assert done.stderr.startswith("4 parts of 8 frames; the part by validate.part_from of params")

    promote_new(project, "2")
    done = run("shots", "--out", "out.parquet")
    assert done.returncode == 1
    assert "was begun with release 1, and now release 2 is the champion; --anew" in done.stderr
    assert "Traceback" not in done.stderr
    inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=1, anew=True)
    assert set(pd.read_parquet("out.parquet")["release"]) == {"2"}


def test_two_runs_never_write_one_table(project: Path) -> None:
    from pipelines.lots.inspect_lot import _lock_of

    put_parts(project / "shots", range(1))
    with (
        locked(_lock_of(Path("out.parquet")), holder="another"),
        pytest.raises(InspectionError, match=r"a run that writes out\.parquet is running already"),
    ):
        inspect_lot(find_lot("shots"), Path("out.parquet"), n_workers=1)


def test_a_run_that_is_killed_goes_on_where_it_was_to_the_same_bytes(project: Path) -> None:
    put_parts(project / "shots", range(N_PARTS))
    killed = subprocess.Popen([sys.executable, "-c", SMALL_SHARDS], env=environment())
    first = Path("out.parquet.parts/0000.parquet")
    deadline = time.monotonic() + PATIENCE_S
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    workers = psutil.Process(killed.pid).children()
    killed.kill()
    killed.wait()
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert alive == []
    assert not Path("out.parquet").exists()

    lot = find_lot("shots")
    summary = inspect_lot(lot, Path("out.parquet"), n_workers=1, shard_parts=SHARD_PARTS)
    whole = inspect_lot(lot, Path("whole.parquet"), n_workers=2, shard_parts=SHARD_PARTS)
    assert whole.n_judged == N_PARTS
    assert 0 < summary.n_judged < N_PARTS
    assert f", {N_PARTS - summary.n_judged} judged before; " in str(summary)
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert pd.read_parquet("out.parquet")["part_id"].is_unique


@pytest.mark.parametrize("name", ["inspect_lot", "watch_folder"])
def test_help_imports_no_library_that_takes_long(name: str) -> None:
    heavy = {"pandas", "pyarrow", "onnxruntime", "cv2", "pydantic", "numpy", "tqdm"}
    code = (
        "import sys, runpy; sys.argv = ['program', '--help']\n"
        f"try: runpy.run_module('pipelines.lots.{name}', run_name='__main__')\n"
        f"except SystemExit: print(sorted(sys.modules.keys() & {heavy!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )

    assert "usage: " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
