"""Two workers of one Prefect server, each in its own checkout, that share git, DVC and MLflow."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inspection.storage import read_json
from pipelines.shipping.follow import brought
from serving.api import create_app
from serving.champion import Champion
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.bundles import draw_jpeg
from tests.servers import mlflow_server, prefect_worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]
LINE = "shared-line"
# Flows in processes of their own, on a machine that is busy with other tests.
PATIENCE_S = 600.0
# Each run of a stage leaves the folder in which it ran.
PIPELINE = """\
stages:
  double:
    cmd: pwd >> {ran}; cat in.txt in.txt > double.txt
    deps: [in.txt]
    outs: [double.txt]
  enter:
    cmd: pwd >> {ran}; {python} register.py
    deps: [double.txt, register.py]
    outs: [receipt.json]
"""
REGISTER = f"""\
from pathlib import Path
import pytest
from stages.tracking import TrackingParams
from tests.registering import Project

with pytest.MonkeyPatch.context() as patch:
    Project(Path.cwd(), TrackingParams(), "{LINE}").register(patch, Path("double.txt").read_text())
"""


def test_a_flow_on_one_worker_is_at_hand_on_the_other_and_its_champion_serves_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, ran = tmp_path / "other", tmp_path / "ran.txt"
    share(project, other, ran)
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with mlflow_server(store, str(tmp_path / "artifacts"), {}) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        deploy(project)
        with worker(project, "a"), worker(other, "b"):
            assert run_on("b") == "COMPLETED"
            promote(other)
            assert ran.read_text().split() == [str(other)] * 2
            receipt = read_json(other / "receipt.json")
            assert not (project / "receipt.json").exists()

            # what a person does with the branch of a run
            git(project, "fetch", "--quiet")
            (branch,) = git(project, "branch", "--remotes", "--list", "origin/retrain/*").split()
            git(project, "merge", "--quiet", branch)
            git(project, "push", "--quiet")
            assert run_on("a") == "COMPLETED"

        # nothing ran there: DVC brought what the other one has made
        assert ran.read_text().split() == [str(other)] * 2
        assert read_json(project / "receipt.json") == receipt
        assert (project / "double.txt").read_text() == "7\n7\n"
        release = brought(LINE, TrackingParams(), project / "models/releases").release
    assert answered(project / "models/releases") == release


def share(project: Path, other: Path, ran: Path) -> None:
    """Make another checkout of a project, with remotes of git and DVC that both have."""
    text = PIPELINE.format(ran=ran, python=sys.executable)
    (project / "dvc.yaml").write_text(text)
    (project / "register.py").write_text(REGISTER)
    # what the stage makes besides is no result
    ignored = ["/*", "!/.gitignore", "!/.dvc", "!/dvc.yaml", "!/in.txt", "!/register.py"]
    (project / ".gitignore").write_text("\n".join([*ignored, "!/prefect.yaml", "!/dvc.lock", ""]))
    (project / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text())
    for key in ("name", "email"):
        git(project, "config", f"user.{key}", "Ada@here")

    plant = project.parent / "plant.git"
    git(project, "init", "--quiet", "--bare", str(plant))
    git(project, "remote", "add", "origin", str(plant))
    remote = ("remote", "add", "--quiet", "--default", "plant", str(project.parent / "store"))
    subprocess.run([sys.executable, "-m", "dvc", *remote], cwd=project, check=True)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "nothing has run")
    main = git(project, "branch", "--show-current")
    git(project, "push", "--quiet", "--set-upstream", "origin", main)
    git(project, "clone", "--quiet", "--branch", main, str(plant), str(other))


def deploy(project: Path) -> None:
    """The pool of prefect.yaml, and its deployment of the flow."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        pool = WorkPoolCreate(name="line", type="process", base_job_template=template)
        client.create_work_pool(pool, overwrite=True)
    words = ("-m", "prefect", "--no-prompt", "deploy", "--name", "weekly")
    subprocess.run(
        [sys.executable, *words], cwd=project, env=environment(), capture_output=True, check=True
    )


def worker(checkout: Path, queue: str) -> AbstractContextManager[None]:
    """A worker in a checkout, to which runs of this queue go."""
    return prefect_worker(checkout, queue, "--work-queue", queue, environment=environment())


def promote(checkout: Path) -> None:
    """What the gate lets through, without a Bento of this toy."""
    words = (sys.executable, "-m", "pipelines.promote", "--by", "Ada", "--no-bento")
    subprocess.run(words, cwd=checkout, env=environment(), capture_output=True, check=True)


def run_on(queue: str) -> str:
    """Run the flow on the worker of a queue, to its end; the state in which it ended."""
    from prefect.deployments import run_deployment

    done = run_deployment(
        "retrain/weekly",
        parameters={"shared": True},
        work_queue_name=queue,
        timeout=PATIENCE_S,
        poll_interval=0.5,
    )
    assert done.state is not None
    return str(done.state.type.value)


def environment() -> dict[str, str]:
    """This process's, with the project importable and the test's Prefect server."""
    from prefect.settings import get_current_settings

    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return os.environ | settings | {"PYTHONPATH": str(ROOT)}


def answered(releases: Path) -> str:
    """The release that gives a verdict on a dented part."""
    with ExitStack() as stack:
        serving = Champion(releases)
        serving.start()
        stack.callback(serving.stop)
        client = stack.enter_context(TestClient(create_app(serving)))
        files = {"views": ("a.jpg", draw_jpeg("dent"))}
        answer = client.post("/inspect", files=files).json()
    assert answer["verdict"] == "reject"
    return str(answer["model"]["release"])


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
