import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lots import Memory, Speed, compared
from inspection.errors import InspectionError
from pipelines.lots.judging import current_release
from tests.lots import environment, make_project, put_parts
from tests.servers import INSTALL


def test_the_command_prints_speed_and_memory_for_one_and_two_workers(tmp_path: Path) -> None:
    make_project(tmp_path)
    put_parts(tmp_path / "shots", range(40))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lots", "--frames", "shots", "--parts", "30",
         "--turns", "1"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    head, one, two, ratio = done.stdout.splitlines()

    assert head.startswith("30 parts, 60 views, ")
    assert one.startswith("1 workers ")
    assert two.startswith("2 workers ")
    # a Python with NumPy, OpenCV and ONNX Runtime holds some tens of MB at least
    assert 30 < float(one.split("second")[1].split()[0]) < 1000
    assert ratio.startswith("2 workers judge ")


def test_a_line_tells_the_rate_and_the_memory() -> None:
    assert str(Speed(2, 51.26, Memory(210_400_000, 420_000_000))) == (
        "2 workers     51.3 parts a second    210 MB at most in one    420 MB in all"
    )


@pytest.mark.slow
def test_a_cluster_on_this_machine_is_compared_with_local_workers(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason=INSTALL)
    make_project(tmp_path)
    put_parts(tmp_path / "shots", range(20))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lots", "--frames", "shots", "--turns", "1",
         "--workers", "1", "--dask"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    *_, cluster, ratio = done.stdout.splitlines()

    assert cluster.startswith("1 Dask workers ")
    assert 30 < float(cluster.split("second")[1].split()[0]) < 1000
    assert ratio.startswith("a Dask cluster judges ")


def test_one_part_is_too_few_to_time(tmp_path: Path) -> None:
    make_project(tmp_path)
    with pytest.raises(InspectionError, match="0 parts; give two or more"):
        compared([], current_release(tmp_path / "models/releases"), [1])
