"""The whole line on 40 parts in a copy of the project: `dvc repro`, the registry, one real POST."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from inspection.runtime.bundle import CARD, verified
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion
from inspection.runtime.verdict import VERDICTS
from inspection.runtime.views import View
from inspection.storage import read_json, read_table, sha256_of, write_table
from samples.draw import draw_line
from tests.architecture import ROOT
from tests.readme import COMMANDS, IN_THE_PROJECT, README
from tests.report_page import ReportPage
from tests.surroundings import plain_environment
from tests.test_architecture import STAGES

pytestmark = pytest.mark.slow

QUICK = {
    ("train", "epochs"): 3,
    ("crop", "locator_epochs"): 14,
    ("evaluate_cam", "max_defects"): 10,
    ("evaluate_cam", "max_normals"): 10,
    ("split", "audit_folds"): 2,
    ("validate", "expected", "max_quarantined_fraction"): 0.3,
    ("gate", "max_quarantined_fraction"): 0.3,
    ("gate", "max_cam_edge"): 1.0,
    ("gate", "max_ms_per_part"): 60000,
}
READY_WITHIN_S = 120
PRINTED = ".state/printed.txt"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files with its own data, quick params, and all stages run once."""
    copy = tmp_path_factory.mktemp("line") / "knurl"
    make_project(copy)
    printed = run([sys.executable, "-m", "pipelines.repro"], copy)
    (copy / PRINTED).write_text(printed, encoding="utf-8")
    run([sys.executable, "-m", "pipelines.promote"], copy)
    return copy


def make_project(folder: Path) -> None:
    """The tracked files, forty parts of the sample line and quick params, in a git repository."""
    for name in run(["git", "ls-files", "-co", "--exclude-standard"], ROOT).splitlines():
        if name.startswith(("metrics/", "dvc.lock", "data.dvc", "docs/")):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    draw_line(out=folder / "data", truth=folder / "samples/truth", n_parts=40, seed=3)
    quicken(folder / "params.yaml")
    run(["git", "init", "--quiet"], folder)
    run([*dvc(), "add", "--quiet", "data"], folder)
    run(["git", "add", "."], folder)
    # `dvc exp run` asks for it too, where anything has changed since the commit
    run(["git", "config", "user.name", "Knurl"], folder)
    run(["git", "config", "user.email", "knurl@localhost"], folder)
    run(["git", "commit", "--quiet", "-m", "Forty parts"], folder)


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


def environment(folder: Path) -> dict[str, str]:
    bin_dir = Path(sys.executable).parent
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    return plain_environment() | {
        "HOME": str(home),
        "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "true",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "PYTHONPATH": "",
        "BENTOML_HOME": str(folder / ".state/bentoml"),
        "KNURL_TOKEN": "",
    }


def run(command: list[str], folder: Path, expect: int = 0) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert done.returncode == expect, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + (done.stderr if expect else "")


def test_every_stage_writes_its_metrics(line: Path) -> None:
    assert sorted(path.stem for path in (line / "metrics").glob("*.json")) == sorted(
        set(STAGES) - {"report"}  # a page, no numbers
    )


def test_the_pipeline_writes_nothing_into_the_home_folder(line: Path) -> None:
    assert list((line.parent / "home").iterdir()) == []


def test_the_pipeline_prints_one_line_a_stage_in_words(line: Path) -> None:
    printed = (line / PRINTED).read_text(encoding="utf-8").splitlines()
    stages = [text for text in printed if not text.startswith("  warning: ")]

    assert [text.split()[0] for text in stages] == list(STAGES)
    assert all(re.match(r"\w+ +\d+ s   \w", text) for text in stages)
    # else it is the stage's own line of numbers, for the words do not fit its metrics any more
    assert not any(re.search(r"\bn_\w+ \d", text) for text in stages)


def test_a_second_repro_runs_nothing(line: Path) -> None:
    assert "Running stage" not in run([*dvc(), "repro"], line)


def test_the_readmes_example_in_python_gives_a_verdict(line: Path) -> None:
    blocks = [block.split("```")[0] for block in README.split("```python\n")[1:]]
    (example,) = [block for block in blocks if "Inspector(" in block]

    printed = run([sys.executable, "-c", example], line).splitlines()

    assert printed[0].split()[0] in VERDICTS
    assert len(printed) > 1


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
    assert lineage["git_revision"] == run(["git", "rev-parse", "HEAD"], line).strip()
    assert lineage["git_clean"] is True


def test_nothing_that_decides_changes_when_the_test_fold_does(line: Path) -> None:
    """Assembled again with half of the test parts gone and the labels of the others turned round.

    Temperature, weights, thresholds, scales of scores and heat, and the limit stay as they are.
    """
    other = line / "another-test-fold"
    folds = read_table(line / "artifacts/folds/folds.parquet")
    manifest = read_table(line / "artifacts/labels/manifest.parquet")
    in_test = manifest["view_id"].isin(folds.loc[folds["fold"] == "test", "view_id"])
    parts = sorted(set(manifest.loc[in_test, "part_id"]))
    turned = manifest["label"].where(~in_test, manifest["label"].map(turned_round))
    write_table(other / "manifest.parquet", manifest.assign(label=turned))
    write_table(other / "folds.parquet", folds[~folds["part_id"].isin(parts[::2])])

    changed = {"folds": "folds.parquet", "manifest": "manifest.parquet", "out": "bundle",
               "test-fold": "test_fold", "metrics": "metrics.json"}  # fmt: skip
    run(stage_command("assemble", {name: str(other / place) for name, place in changed.items()}),
        line)  # fmt: skip
    was, now = verified(line / "models/bundle"), verified(other / "bundle")
    shutil.rmtree(other)

    assert now.metrics["totals"]["n_parts"] == len(parts) // 2
    assert now.metrics["verdicts"] != was.metrics["verdicts"]
    assert now.detectors == was.detectors
    assert now.fusion == was.fusion
    assert now.costs == was.costs
    assert now.metrics["limit"] == was.metrics["limit"]
    assert now.files == was.files


def turned_round(label: str) -> str:
    return "dent" if label == "normal" else "normal"


def stage_command(name: str, changed: dict[str, str]) -> list[str]:
    """The command of a stage as dvc.yaml has it, with other paths for some of its flags."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    words = shlex.split(stages[name]["cmd"])
    for flag, place in changed.items():
        words[words.index(f"--{flag}") + 1] = place
    return [sys.executable, *words[2:]]


def test_dvc_shows_metrics_plots_and_the_graph(line: Path) -> None:
    metrics = json.loads(run([*dvc(), "metrics", "show", "--json"], line))
    plots = json.loads(run([*dvc(), "plots", "show", "--json"], line))
    graph = run([*dvc(), "dag", "--dot"], line)

    assert "macro_f1" in json.dumps(metrics)
    assert "Training loss" in json.dumps(plots)
    assert all(stage in graph for stage in STAGES)


@pytest.fixture(scope="module")
def page(line: Path) -> ReportPage:
    return ReportPage((line / "reports/index.html").read_text(encoding="utf-8"))


def test_the_report_loads_nothing_from_elsewhere(page: ReportPage) -> None:
    assert page.loaded == []


def test_the_report_has_confusion_curves_gallery_errors_and_data_issues(
    page: ReportPage, line: Path
) -> None:
    card = verified(line / "models/bundle")
    n_classes = len(card.line.classifier_classes)
    looks, data = page.images["Where the model looks"], page.text("Data")
    quarantined = read_json(line / "metrics/validate.json")["n_quarantined"]
    n_issues = read_json(line / "metrics/clean_labels.json")["n_issues"]

    assert page.tags["Confusion of the classifier"].count("td") == n_classes * (n_classes + 1)
    assert page.tags["Training"].count("polyline") == 3
    assert len([alt for alt in looks if alt.startswith("val crop")]) == len(
        read_json(line / "artifacts/cam/gallery/index.json")
    )
    assert len([alt for alt in looks if alt.startswith("normal part")]) == min(
        6, card.metrics["totals"]["n_normal"]
    )
    assert (card.metrics["totals"]["escapes"] > 0) == ("escape" in page.images["Worst errors"])
    assert "Worst errors" in page.images or "No escape, no overkill" in page.text("Worst errors")
    assert f"Files quarantined: {quarantined}." in data
    assert f"Label suspects: {n_issues}." in data


@pytest.mark.parametrize("command", [c for start in IN_THE_PROJECT for c in COMMANDS
                                     if (c + " ").startswith(start + " ")])  # fmt: skip
def test_the_readmes_command_works(line: Path, command: str) -> None:
    """As it is written, in a shell, in the finished project: nothing is trained again."""
    metrics = {path: path.read_bytes() for path in (line / "metrics").glob("*.json")}
    reviews = (line / "reviews/labels.csv").read_bytes()
    said = run(["bash", "-c", command], line)
    # a command may answer for the person who reviews; the next one finds the line as it was
    (line / "reviews/labels.csv").write_bytes(reviews)

    assert said.strip()
    assert "Running stage" not in said
    assert {path: path.read_bytes() for path in (line / "metrics").glob("*.json")} == metrics


def test_the_first_version_is_registered_and_promoted(line: Path) -> None:
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


def test_a_clone_that_has_pulled_serves_the_same_card_after_one_command(
    line: Path, tmp_path: Path
) -> None:
    """By what `make promote` runs; the cache of the first checkout stands for a remote."""
    clone = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(line), str(clone)], tmp_path)
    # what one commits after a run
    shutil.copy(line / "dvc.lock", clone)
    shutil.copytree(line / "metrics", clone / "metrics", dirs_exist_ok=True)
    remote = ["remote", "add", "--local", "--default", "first", str(line / ".dvc/cache")]
    run([*dvc(), *remote], clone)
    run([*dvc(), "pull", "--quiet"], clone)
    assert not (clone / "mlruns").exists()

    run(["bash", "-ec", told_by_make("promote", clone)], clone)

    serving = champion(clone / "models/releases") / CARD
    assert serving.read_bytes() == (champion(line / "models/releases") / CARD).read_bytes()
    receipt = read_json(clone / "artifacts/receipt.json")
    assert receipt["card_sha256"] == sha256_of(serving)
    assert said_by_the_registry(clone) == f"{receipt['version']} {receipt['card_sha256']} FINISHED"


def said_by_the_registry(folder: Path) -> str:
    """The champion's version, the hash of its card, and how its run ended."""
    code = (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlruns/mlflow.db');"
        "c = mlflow.MlflowClient();"
        "v = c.get_model_version_by_alias('rod-assembly', 'champion');"
        "r = c.get_run(v.tags['run_id']);"
        "print(v.version, v.tags['sha256_card.json'], r.info.status)"
    )
    return run([sys.executable, "-c", code], folder).strip().splitlines()[-1]


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


@contextmanager
def serving(command: list[str], folder: Path, ready: str) -> Iterator[str]:
    """A server on a free port, given as the last argument; yields its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, str(port)],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}{ready}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def address(line: Path) -> Iterator[str]:
    """The service as `make serve` starts it, on a free port."""
    with serving(recipe("serve", line), line, "/readyz") as started:
        yield started


def told_by_make(verb: str, folder: Path) -> str:
    """What a verb of the Makefile runs, once the environment is made."""
    return run(["make", "--dry-run", "--assume-old=.venv/.ready", verb], folder)


def recipe(verb: str, folder: Path) -> list[str]:
    """The server that a verb of the Makefile starts, up to its port."""
    command = told_by_make(verb, folder).replace("\\\n", " ").strip().splitlines()[-1]
    words, port = shlex.split(re.sub(r"(--port) \d+(.*)", r"\2 \1", command)), "--port"
    assert words[-1] == port
    return ["env", *words]


def wait_until_ready(url: str, process: Any, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
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


@pytest.mark.parametrize(
    # there is one line here; tests/serving/plant has several
    "command",
    [c for c in COMMANDS if c.startswith("curl ") and "/lines" not in c],
)
def test_the_service_answers_the_readmes_curl(
    line: Path, address: str, command: str, tmp_path: Path
) -> None:
    """As it is written, but for the port, with two views of a part called a.jpg and b.jpg."""
    manifest = read_table(line / "artifacts/labels/manifest.parquet")
    for name, path in zip(("a.jpg", "b.jpg"), manifest["path"], strict=False):
        shutil.copy(line / "data" / path, tmp_path / name)
    answer = json.loads(run(["bash", "-c", command.replace("http://127.0.0.1:3000", address)],
                            tmp_path))  # fmt: skip

    if "/inspect" not in command:
        assert answer.get("number", 0) >= 1 or answer["verdicts"][0]["part_id"] == "A-17"
        return
    parts = answer.get("parts", [answer])
    views = [view for part in parts for view in part["views"]]
    assert {part["verdict"] for part in parts} <= {"pass", "review", "reject"}
    assert len(views) == command.count("views=@")
    assert bool(views[0].get("heatmaps")) == ("heatmap=true" in command)


def test_the_registry_opens(line: Path) -> None:
    """As `make registry` starts it, on a free port: it knows the line's model."""
    with serving(recipe("registry", line), line, "/health") as registry:
        asked = {"name": "rod-assembly"}
        found = httpx.get(f"{registry}/api/2.0/mlflow/registered-models/get", params=asked)

    assert found.json()["registered_model"]["name"] == "rod-assembly"
