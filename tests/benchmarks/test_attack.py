import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.attack import Outcome, held, table
from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle


@pytest.mark.parametrize(
    ("statuses", "peak_mb", "expected"),
    [
        ({"200": 5, "429": 3, "413": 1}, 999.0, True),
        ({"200": 5}, 1000.0, False),
        ({"500": 1}, 10.0, False),
        ({"504": 1}, 10.0, False),
        ({"hung": 1}, 10.0, False),
        ({"500 (good)": 1}, 10.0, False),
        ({"closed": 3}, 10.0, True),
        ({"closed (good)": 1}, 10.0, False),
    ],
)
def test_a_promise_is_broken_by_a_5xx_a_hang_or_a_gigabyte(
    statuses: dict[str, int], peak_mb: float, expected: bool
) -> None:
    assert held(Outcome("attack", Counter(statuses), 0.1, peak_mb)) is expected


@pytest.mark.parametrize(("slowest_s", "noted"), [(2.0, False), (2.01, True)])
def test_a_good_client_that_waits_too_long_is_noted(slowest_s: float, noted: bool) -> None:
    outcome = Outcome("attack", Counter({"200": 2}), slowest_s, 10.0)

    assert ("over 2 s" in table([outcome])) is noted


@pytest.mark.slow
def test_the_service_survives_every_attack(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / "releases", "1")
    promote(tmp_path / "releases", "1")
    (tmp_path / "good.jpg").write_bytes(draw_jpeg("dent"))
    command = [sys.executable, "-m", "benchmarks.attack", "--picture", str(tmp_path / "good.jpg")]
    done = subprocess.run(
        [*command, "--releases", str(tmp_path / "releases")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 11
