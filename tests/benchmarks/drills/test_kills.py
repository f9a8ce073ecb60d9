import shlex
from pathlib import Path

import pytest

from benchmarks.drills import kills
from benchmarks.drills.kills import Commands, Outcome

# It lives in a session of its own, which the kill of the whole group does not reach.
LEAVES_A_CHILD = """
import subprocess, sys, time
sleeps = [sys.executable, "-c", "import time; time.sleep(9)"]
subprocess.Popen(sleeps, start_new_session=START)
time.sleep(60)
"""


@pytest.mark.parametrize("is_left", [True, False])
def test_a_process_that_outlives_a_kill_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_left: bool
) -> None:
    monkeypatch.setattr(kills, "CHILDREN_END_S", 3.0)
    # the kill comes some seconds after the start, when the child is there
    monkeypatch.setattr("random.Random.uniform", lambda *_: 2.0)
    code = LEAVES_A_CHILD.replace("START", str(is_left))
    outcome = Outcome("it")
    Commands(tmp_path, (), seed=0).killed(f"python -c {shlex.quote(code)}", outcome)

    assert outcome.n_killed == 1
    assert bool(outcome.lost["a process outlives the one that started it"]) is is_left
