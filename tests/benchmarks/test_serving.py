import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.serving import Load, memory_report
from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle


def test_rates_are_of_accepted_requests() -> None:
    load = Load(seconds=[0.1] * 20, statuses=Counter({200: 20, 429: 5}), took_s=2.0, cpu_s=0.4)

    assert (load.per_second, load.cpu_ms, load.quantile_ms(0.5)) == pytest.approx((10, 20, 100))


def test_the_growth_of_memory_is_that_of_the_second_half() -> None:
    warming = [(0, 150.0), (1000, 180.0)]
    steady = [(2000 + 1000 * n, 200.0 + 0.5 * n) for n in range(3)]

    *rows, last = memory_report([*warming, *steady]).splitlines()
    assert len(rows) == 5
    assert last == "in the second half 200.0 to 201.0 MB, +0.50 MB in 1,000 requests"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A release and a picture, as the command takes them."""
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / "releases", "1")
    promote(tmp_path / "releases", "1")
    (tmp_path / "good.jpg").write_bytes(draw_jpeg())
    return ["--picture", str(tmp_path / "good.jpg"), "--releases", str(tmp_path / "releases")]


def measured(*words: str) -> str:
    command = [sys.executable, "-m", "benchmarks.serving", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_whole_comparison_runs(files: list[str]) -> None:
    said = measured("--requests", "16", *files)

    assert [line.split()[0] for line in said.splitlines()] == [
        "CPU",
        "CPU",
        "throughput,",
        "p99",
        "p99",
    ]


@pytest.mark.slow
def test_the_memory_is_read_while_requests_are_answered(files: list[str]) -> None:
    said = measured("--memory", "320", *files).splitlines()

    assert [int(line.split()[0]) for line in said[:-1]] == list(range(0, 321, 16))
    assert said[-1].startswith("in the second half ")
