"""The store: runs of killed trainings, and a database that is damaged."""

import subprocess
import sys
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from stages import tracking
from stages.tracking import HOST_TAG, PROCESS_TAG, TrackingParams
from tests.stages.conftest import statuses

pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parents[2]
TRAINS_FOR_EVER = """
import sys, time
from stages import tracking
store = tracking.TrackingParams(store=sys.argv[1], experiment=sys.argv[2])
tracking.connect(store).start_run(tags=tracking.owner())
sys.stdout.write("begun\\n"); sys.stdout.flush(); time.sleep(600)
"""


@pytest.mark.slow
def test_the_run_of_a_training_that_was_killed_is_marked_at_the_next_start(
    tracked: TrackingParams,
) -> None:
    command = [sys.executable, "-c", TRAINS_FOR_EVER, tracked.store, tracked.experiment]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert statuses(tracked) == ["RUNNING"]  # it lives, and is left alone

    process.kill()
    process.communicate()
    assert statuses(tracked) == ["KILLED"]


@pytest.mark.slow
def test_runs_of_other_hosts_and_of_nobody_are_left_alone(tracked: TrackingParams) -> None:
    mlflow = tracking.connect(tracked)
    for tags in ({HOST_TAG: "another", PROCESS_TAG: "1 1.00"}, {}):
        mlflow.start_run(tags=tags)
        mlflow.end_run("RUNNING")

    assert statuses(tracked) == ["RUNNING", "RUNNING"]


def test_the_number_of_a_process_that_is_given_again_does_not_keep_a_run_alive() -> None:
    mine = tracking.owner()[PROCESS_TAG]

    assert mine == tracking._process(int(mine.split()[0]))
    assert tracking._process(2**22 + 1) == "gone"  # above what Linux gives out


@pytest.mark.parametrize("content", [b"no database" * 400, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_database_is_told_in_one_line_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(InspectionError, match=r"mlflow\.db: is damaged") as caught:
        tracking.connect(TrackingParams(store=str(tmp_path)))

    assert len(str(caught.value).splitlines()) == 1
    assert (tmp_path / "mlflow.db").read_bytes() == content
