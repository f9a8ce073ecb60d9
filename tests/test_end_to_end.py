"""The whole line on 40 parts in a copy of the project: `dvc repro`, the registry, one real POST."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from inspection.bundle import verified
from inspection.inspector import Inspector, View
from inspection.releases import champion
from inspection.storage import read_json, read_table
from samples.draw import draw_line
from tests.architecture import ROOT
from tests.test_architecture import STAGES

pytestmark = pytest.mark.slow

QUICK = {
    ("train", "epochs"): 3,
    ("crop", "locator_epochs"): 14,
    ("evaluate_cam", "max_defects"): 10,
    ("evaluate_cam", "max_normals"): 10,
    ("split", "audit_folds"): 2,
    ("validate", "expected", "max_quarantined_fraction"): 0.3,
}
READY_WITHIN_S = 120


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files with its own data, quick params, and all stages run once."""
    copy = tmp_path_factory.mktemp("line") / "knurl"
    for name in run(["git", "ls-files", "-co", "--exclude-standard"], ROOT).splitlines():
        if name.startswith(("metrics/", "dvc.lock", "data.dvc", "docs/")):
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    draw_line(out=copy / "data", truth=copy / "samples/truth", n_parts=40, seed=3)
    quicken(copy / "params.yaml")
    run(["git", "init", "--quiet"], copy)
    run([*dvc(), "add", "--quiet", "data"], copy)
    run([*dvc(), "repro"], copy)
    return copy


def quicken(path: Path) -> None:
    yaml = YAML()
    params = yaml.load(path.read_text(encoding="utf-8"))
    for (*sections, key), value in QUICK.items():
        place = params
        for section in sections:
            place = place[section]
        place[key] = value
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


def dvc() -> list[str]:
    return [sys.executable, "-m", "dvc"]


def run(command: list[str], folder: Path, expect: int = 0) -> str:
    bin_dir = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "true",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "PYTHONPATH": "",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == expect, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + (done.stderr if expect else "")


def test_every_stage_writes_its_metrics(line: Path) -> None:
    assert sorted(path.stem for path in (line / "metrics").glob("*.json")) == sorted(STAGES)


def test_a_second_repro_runs_nothing(line: Path) -> None:
    assert "Running stage" not in run([*dvc(), "repro"], line)


def test_no_part_and_no_near_duplicate_crosses_folds(line: Path) -> None:
    folds = read_table(line / "artifacts/folds/folds.parquet")

    assert (folds.groupby("part_id")["fold"].nunique() == 1).all()
    assert (folds.groupby("group_id")["fold"].nunique() == 1).all()


def test_the_deployed_graphs_decide_as_torch_does(line: Path) -> None:
    parity = verified(line / "models/bundle").parity

    assert {report["flipped"] for report in parity.values()} == {0}


def test_the_card_traces_back_to_data_and_run(line: Path) -> None:
    lineage = verified(line / "models/bundle").lineage

    assert "md5:" in lineage["data"]
    assert lineage["mlflow_run"] == read_json(line / "artifacts/train_run.json")["run_id"]


def test_the_thresholds_do_not_change_when_the_test_fold_does(line: Path) -> None:
    """What is counted on test says nothing to the card's thresholds: val has its own parts."""
    card = verified(line / "models/bundle")
    folds = read_table(line / "artifacts/folds/folds.parquet")
    n_test = folds[folds["fold"] == "test"]["part_id"].nunique()

    assert card.metrics["totals"]["n_parts"] == n_test
    assert card.metrics["claim"]["n_defective"] < n_test


def test_dvc_shows_metrics_plots_and_the_graph(line: Path) -> None:
    metrics = json.loads(run([*dvc(), "metrics", "show", "--json"], line))
    plots = json.loads(run([*dvc(), "plots", "show", "--json"], line))
    graph = run([*dvc(), "dag", "--dot"], line)

    assert "macro_f1" in json.dumps(metrics)
    assert "Training loss" in json.dumps(plots)
    assert all(stage in graph for stage in STAGES)


def test_the_report_needs_nothing_but_itself(line: Path) -> None:
    page = (line / "reports/index.html").read_text(encoding="utf-8")

    assert "Verdicts by class" in page
    assert 'src="http' not in page
    assert "<link" not in page


def test_the_first_version_is_registered_as_challenger_and_champion(line: Path) -> None:
    code = (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlruns/mlflow.db');"
        "c = mlflow.MlflowClient();"
        "v = c.get_model_version_by_alias('rod-assembly', 'champion');"
        "m = c.get_registered_model('rod-assembly');"
        "print(sorted(m.aliases), v.version, v.tags['release'], 'git_revision' in v.tags)"
    )
    printed = run([sys.executable, "-c", code], line).strip().splitlines()[-1]
    released = champion(line / "models/releases").name

    assert printed == f"['challenger', 'champion'] 1 {released} True"


def test_a_stage_that_fails_names_the_key_without_traceback_and_nothing_is_lost(line: Path) -> None:
    params, folds = line / "params.yaml", line / "artifacts/folds/folds.parquet"
    text, good = params.read_text(encoding="utf-8"), folds.read_bytes()
    params.write_text(text.replace("audit_folds:", "audit_fold:"), encoding="utf-8")
    try:
        said = run([*dvc(), "repro", "split"], line, expect=255)
    finally:
        params.write_text(text, encoding="utf-8")
        run([*dvc(), "checkout", "--quiet", "--force"], line)

    assert "params.yaml: split.audit_fold: unknown key" in said
    assert "Traceback" not in said
    assert folds.read_bytes() == good


@pytest.fixture(scope="module")
def address(line: Path) -> Iterator[str]:
    """The service as `make serve` starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Inspection"]
    log = line / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=line,
            env=os.environ | {"BENTOML_HOME": str(line / ".state/bentoml"), "KNURL_TOKEN": ""},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_until_ready(url: str, process: Any, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def test_the_service_gives_the_verdict_of_the_bundle(line: Path, address: str) -> None:
    folds = read_table(line / "artifacts/folds/folds.parquet")
    manifest = read_table(line / "artifacts/labels/manifest.parquet").merge(folds[["view_id"]])
    part = manifest[manifest["part_id"] == manifest["part_id"].iloc[0]]
    views = [View(str(i), (line / "data" / path).read_bytes()) for i, path in
             enumerate(part["path"])]  # fmt: skip
    expected = Inspector(champion(line / "models/releases")).inspect(views)
    files = [("views", (view.name, view.content)) for view in views]

    answer = httpx.post(f"{address}/inspect", files=files, timeout=60).json()

    assert (answer["verdict"], answer["label"]) == (expected.verdict, expected.label)
    for got, wanted in zip(answer["views"], expected.views, strict=True):
        assert got["scores"] == pytest.approx(wanted.scores, abs=1e-4)
