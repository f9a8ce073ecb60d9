"""The stages that loop over views, as programs: here, and on a Dask cluster."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from inspection.cluster import ADDRESS, connected
from inspection.processors import HELD_TO_AVX2
from stages.sections import SECTIONS
from tests.architecture import ROOT
from tests.clusters import PROJECT, processes_of, scheduler
from tests.pictures import DEFECT_PX, coco, flat_line
from tests.waiting import wait_until

PATIENCE_S = 300.0
N_PARTS = 80
ROD_PX = (8, 8, 48, 32)
PARAMS: dict[str, Any] = {name: {} for name in SECTIONS} | {
    "line": {
        "name": "drawn",
        "normal": "normal",
        "classes": {"normal": {}, "dent": {}},
        "regions": {"rod": {"size_px": [48, 32], "shows": ["dent"]}},
        "classify": "rod",
        "detect_anomalies": "rod",
        "bit_depth": 16,
        "channels": 1,
        "max_pixels": 64_000_000,
        "orient": None,
    },
    "validate": {
        "layout": "flat",
        "images": ["images/*"],
        "pattern": "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>[^_]+)_(?P<view>[^_]+)",
        "part_from": {"rule": "pattern", "group": "part"},
        "coco": ["boxes.json"],
    },
    # so many that rods are found, with a confidence that has all its digits
    "crop": {"locator_epochs": 4},
}
LOOPING = ("validate", "clean_labels", "crop")
# What they write, but for the time and place of a run, which none of it holds.
OUTPUTS = ("artifacts/manifest", "artifacts/labels", "artifacts/crops", "metrics")


def drawn(folder: Path) -> Path:
    """A project without outputs: two views of each part, and files that are set aside."""
    images = flat_line(folder / "data", classes=["normal", "dent"], n_parts=N_PARTS) / "images"
    boxes = {
        path.name: [("rod", ROD_PX), *([("dent", DEFECT_PX)] if "dent" in path.name else [])]
        for path in sorted(images.iterdir())
    }
    coco(folder / "data/boxes.json", boxes)
    (images / "C0_900_normal_0.png").write_bytes(b"")
    (images / "C0_901_normal_0.png").symlink_to("gone.png")
    (folder / "reviews").mkdir()
    for name in ("labels.csv", "boxes.csv"):
        head = (ROOT / "reviews" / name).read_text(encoding="utf-8").splitlines()[0]
        (folder / "reviews" / name).write_text(f"{head}\n", encoding="utf-8")
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(PARAMS, file)
    return folder


def begun(stage: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """A stage as dvc.yaml runs it."""
    command = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"][stage]["cmd"]
    return subprocess.Popen(
        [sys.executable, *shlex.split(command.removeprefix("exec python"))],
        cwd=folder,
        env=os.environ | PROJECT | HELD_TO_AVX2 | variables,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(stage: str, folder: Path, **variables: str) -> None:
    process = begun(stage, folder, **variables)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for name in OUTPUTS for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def n_given(address: str) -> int:
    """How many batches the scheduler knows of."""
    with connected(address) as cluster:
        count = cluster.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        return int(count)


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_this_machine_though_a_worker_is_killed(
    tmp_path: Path,
) -> None:
    folder = drawn(tmp_path / "project")
    for stage in ("validate", "clean_labels", "split", "crop"):
        run(stage, folder)
    here = contents(folder)
    assert {"artifacts/crops/rod.parquet", "artifacts/labels/manifest.parquet"} <= here.keys()
    (folder / "artifacts/crops/rod.parquet").unlink()

    with scheduler(tmp_path / "dask", PROJECT | HELD_TO_AVX2) as cluster:
        workers = cluster.add_workers(2)
        variables = {ADDRESS: cluster.address}
        for stage in LOOPING[:2]:
            run(stage, folder, **variables)
        cropping = begun("crop", folder, **variables)
        wait_until(lambda: n_given(cluster.address) > 0, PATIENCE_S)
        processes_of(workers)[-1].kill()
        assert cropping.poll() is None
        _, said = cropping.communicate(timeout=PATIENCE_S)
        assert cropping.returncode == 0, said

    assert contents(folder) == here
