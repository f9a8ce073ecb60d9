import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.drills.small_disk import can_mount
from tests.architecture import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_mount(), reason="this user may not mount a disk of their own"),
]


def drilled(project: Path) -> subprocess.CompletedProcess[str]:
    words = ["benchmarks.drills.full_disk", "--project", str(project), "--tries", "2"]
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)


def test_a_disk_that_is_full_under_every_stage_and_the_log_loses_nothing(toy: Path) -> None:
    done = drilled(toy)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.rsplit(maxsplit=3) for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["make repro", "draw", "double", "service's log"]
    assert all(int(n_times) > 0 for _, n_times, *_ in rows)
