import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.serving import Load, faults
from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle


@pytest.mark.parametrize(
    ("statuses", "models", "expected"),
    [
        ({200: 9}, {("a", "1"), ("b", "2")}, 0),
        ({200: 9, 429: 2, 500: 1}, {("a", "1")}, 3),
        ({200: 9}, {("a", "1"), ("a", "2"), ("b", "2")}, 1),
    ],
)
def test_what_was_dropped_or_mixed_is_counted(
    statuses: dict[int, int], models: set[tuple[str, str]], expected: int
) -> None:
    assert faults(Load(statuses=Counter(statuses), models=models)) == expected


def test_rates_are_of_accepted_requests() -> None:
    load = Load(seconds=[0.1] * 20, statuses=Counter({200: 20, 429: 5}), took_s=2.0, cpu_s=0.4)

    assert (load.per_second, load.cpu_ms, load.quantile_ms(0.5)) == pytest.approx((10, 20, 100))


@pytest.mark.slow
def test_the_whole_comparison_runs(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / "releases", "1")
    promote(tmp_path / "releases", "1")
    (tmp_path / "good.jpg").write_bytes(draw_jpeg())
    command = [sys.executable, "-m", "benchmarks.serving", "--requests", "16"]
    files = ["--picture", str(tmp_path / "good.jpg"), "--releases", str(tmp_path / "releases")]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of" in next(line for line in done.stdout.splitlines() if "promotions" in line)
