"""The pools that run flows in containers: deployed to a real server and rendered, not run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture import ROOT
from tests.readme import COMMANDS
from tests.webhooks import receiving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]
PLACES = {"KNURL_IMAGE": "registry.example/knurl:1"}
# as the pages write it, in the project's root
(DEPLOY_DOCKER,) = [one for one in COMMANDS if one.startswith("KNURL_PROJECT=$PWD prefect")]


@pytest.fixture(scope="module")
def rendered(prefect_server: None) -> dict[str, dict[str, Any]]:
    """By pool: the job that a worker would begin for the deployment of that name."""
    from prefect.settings import PREFECT_API_URL

    environment = os.environ | PLACES | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    for pool in ("docker", "kubernetes"):
        run(environment, "pipelines.runs.pool", pool)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run_line(environment | {"PATH": path}, ["bash", "-c", DEPLOY_DOCKER])
    run(environment, "prefect", "--no-prompt", "deploy", "--name", "kubernetes")
    return {pool: job(pool) for pool in ("docker", "kubernetes")}


def run(environment: dict[str, str], *words: str) -> None:
    run_line(environment, [sys.executable, "-m", *words])


def run_line(environment: dict[str, str], command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def job(pool: str) -> dict[str, Any]:
    """The variables of pool and deployment put into the pool's template, as a worker does it.

    They are held against the schema first, as the server does it when a run is begun.
    """
    from prefect.client.orchestration import get_client
    from prefect.utilities.schema_tools.validation import validate
    from prefect.utilities.templating import apply_values

    with get_client(sync_client=True) as client:
        template = client.read_work_pool(pool).base_job_template
        deployment = client.read_deployment_by_name(f"retrain/{pool}")
    schema = template["variables"]
    validate(deployment.job_variables, schema, raise_on_error=True)
    assert deployment.job_variables.keys() <= schema["properties"].keys()

    defaults = {name: one.get("default") for name, one in schema["properties"].items()}
    begun = {"name": "run-1", "command": "prefect flow-run execute"}
    given = defaults | deployment.job_variables | begun
    values = apply_values(template["job_configuration"], given)
    assert "{{" not in json.dumps(values)
    return {"job": values, "pull": deployment.pull_steps, "entrypoint": deployment.entrypoint}


def test_a_run_in_docker_gets_the_image_and_the_checkout(
    rendered: dict[str, dict[str, Any]],
) -> None:
    made = rendered["docker"]["job"]

    assert (made["image"], made["command"]) == ("knurl", "prefect flow-run execute")
    assert made["volumes"] == [f"{ROOT}:/knurl"]
    assert made["env"] == {"PYTHONPATH": "/knurl"}
    assert made["auto_remove"] is True


def test_a_run_in_kubernetes_is_a_job_with_the_checkout_as_a_volume(
    rendered: dict[str, dict[str, Any]],
) -> None:
    manifest = rendered["kubernetes"]["job"]["job_manifest"]
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
    assert manifest["metadata"]["namespace"] == "knurl"
    assert (container["image"], pod["restartPolicy"]) == ("registry.example/knurl:1", "Never")
    assert pod["volumes"] == [{"name": "project", "persistentVolumeClaim": {"claimName": "knurl"}}]
    assert container["volumeMounts"] == [{"name": "project", "mountPath": "/knurl"}]
    assert container["resources"]["limits"]["memory"] == "8Gi"


@pytest.mark.parametrize("pool", ["docker", "kubernetes"])
def test_both_work_where_the_checkout_is_mounted(
    rendered: dict[str, dict[str, Any]], pool: str
) -> None:
    (step,) = rendered[pool]["pull"]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")

    assert step["prefect.deployments.steps.set_working_directory"] == {"directory": "/knurl"}
    assert rendered[pool]["entrypoint"] == "pipelines.retrain.retrain"
    assert re.findall(r"(?m)^WORKDIR (.*)$", dockerfile) == ["/knurl"]


def test_the_image_has_the_pinned_requirements_by_the_projects_installer() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (uv,) = re.findall(r"(?m)^UV_VERSION := (.*)$", (ROOT / "Makefile").read_text("utf-8"))

    assert f"pip install --no-cache-dir uv=={uv}\n" in dockerfile
    assert "--require-hashes -r /tmp/requirements.txt" in dockerfile


def test_its_entry_reads_the_projects_environment(tmp_path: Any) -> None:
    line = (ROOT / "Dockerfile").read_text("utf-8").splitlines()[-1]
    entry = json.loads(line.removeprefix("ENTRYPOINT "))
    (tmp_path / "project.env").write_text((ROOT / "project.env").read_text("utf-8"))
    words = [*entry, sys.executable, "-c", "import os; print(os.environ['DVC_SITE_CACHE_DIR'])"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ".state/dvc"


def test_runs_that_nobody_works_at_are_marked_as_crashed_and_people_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they stand after a SIGKILL of worker and run: at work by their state, with no process."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Completed, Running, State

    from pipelines.runs import pool

    ended = flow(name="ended")(lambda: None)
    pool.make("of-a-test")
    with get_client(sync_client=True) as client:

        def run(state: State) -> Any:
            deployed = client.create_deployment(
                client.create_flow(ended), "by-hand", work_pool_name="of-a-test"
            )
            begun = client.create_flow_run_from_deployment(deployed)
            client.set_flow_run_state(begun.id, state, force=True)
            return begun

        at_work, done = run(Running()), run(Completed())
        with receiving() as received:
            monkeypatch.setenv("KNURL_WEBHOOK", received.url)
            pool.mark("of-a-test")
            pool.mark("of-a-test")
        states = [client.read_flow_run(one.id).state.name for one in (at_work, done)]

    text = f"ended/{at_work.name}: Crashed: the worker ended before the run did"
    assert states == ["Crashed", "Completed"]
    assert [json.loads(body) for body in received.bodies] == [{"text": text}]
