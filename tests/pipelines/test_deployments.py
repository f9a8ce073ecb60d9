"""Which deployments each line has, and that a run of one works in the folder of its line."""

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from pipelines.runs import deployments, pool
from stages.sections import read_yaml
from tests.architecture import ROOT
from tests.pipelines.test_two_checkouts import environment
from tests.servers import prefect_worker

# A flow in a process of its own, on a machine that is busy with other tests.
PATIENCE_S = 600.0
WRITTEN: list[dict[str, Any]] = read_yaml(ROOT / "prefect.yaml")["deployments"]
RETRAIN = "pipelines.retrain.retrain"
OF_THE_LINE = """\
stages:
  triple:
    cmd: pwd > triple.txt
    deps: [in.txt]
    outs: [triple.txt]
"""


def names(made: list[dict[str, Any]]) -> list[str]:
    flows = [one["entrypoint"].rpartition(".")[2] for one in made]
    return [f"{flow}/{one['name']}" for flow, one in zip(flows, made, strict=True)]


def test_without_other_lines_the_deployments_are_those_of_the_own_pool() -> None:
    made = deployments.of_all_lines(WRITTEN, [])

    assert names(made) == [
        "retrain/weekly", "watch/hourly", "inbox/half-past", "promote/by-hand",
        "rollback/by-hand", "inspect_lot/by-hand",
    ]  # fmt: skip
    others = [one["name"] for one in WRITTEN if one not in made]
    assert others == ["docker", "kubernetes"]


def test_each_line_has_all_of_them_under_names_of_its_own_in_its_own_folder() -> None:
    of_root = deployments.of_all_lines(WRITTEN, [])
    made = deployments.of_all_lines(WRITTEN, ["rods", "tiles"])

    assert made[: len(of_root)] == of_root
    assert len(set(names(made))) == len(made) == 3 * len(of_root)
    weekly = next(one for one in made if one["name"] == "tiles.weekly")
    assert weekly["work_pool"]["job_variables"]["working_dir"] == "lines/tiles"
    assert weekly["schedules"] == of_root[0]["schedules"]
    assert of_root[0]["work_pool"]["job_variables"]["working_dir"] == "."


def test_what_is_written_for_a_line_overrules_what_it_would_have() -> None:
    nightly = [{"cron": "0 22 * * *", "timezone": "UTC"}]
    own = {"name": "tiles.weekly", "entrypoint": RETRAIN, "schedules": nightly}
    made = deployments.of_all_lines([*WRITTEN, own], ["rods", "tiles"])

    found = {one["name"]: one for one in made if one["entrypoint"] == RETRAIN}
    assert list(found) == ["weekly", "rods.weekly", "tiles.weekly"]
    assert found["tiles.weekly"]["schedules"] == nightly
    assert found["tiles.weekly"]["work_pool"]["job_variables"]["working_dir"] == "lines/tiles"
    assert found["rods.weekly"]["schedules"] == found["weekly"]["schedules"]

    with pytest.raises(InspectionError, match=r"prefect.yaml: 'tiles.weekly': of no line and flow"):
        deployments.of_all_lines([*WRITTEN, own], ["rods"])


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.filterwarnings("default")  # Prefect's own
def test_a_run_of_a_lines_deployment_works_in_its_folder_until_the_line_is_taken_away(
    project: Path,
) -> None:
    from prefect.deployments import run_deployment

    (project / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text())
    tiles = project / "lines/tiles"
    tiles.mkdir(parents=True)
    (tiles / "dvc.yaml").write_text(OF_THE_LINE)
    (tiles / "in.txt").write_text("1\n")
    pool.make("line")
    deploy(project)
    assert {"retrain/weekly", "retrain/tiles.weekly"} <= known()

    with worker(project):
        done = run_deployment("retrain/tiles.weekly", timeout=PATIENCE_S, poll_interval=0.5)
    assert done.state is not None
    assert done.state.is_completed(), done.state
    assert (tiles / "triple.txt").read_text() == f"{tiles}\n"
    assert not (project / "double.txt").exists()

    (tiles / "dvc.yaml").unlink()
    tiles.rename(project / "taken-away")
    deploy(project)
    assert "retrain/weekly" in known()
    assert not {one for one in known() if "tiles" in one}


def deploy(project: Path) -> None:
    """As the program that `make schedule` starts for it."""
    command = [sys.executable, "-m", "pipelines.runs.deployments"]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def known() -> set[str]:
    """The deployments of Prefect's server."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_deployments()
        flows = {one.flow_id: client.read_flow(one.flow_id).name for one in found}
    return {f"{flows[one.flow_id]}/{one.name}" for one in found}


def worker(project: Path) -> AbstractContextManager[None]:
    """A worker that somebody has started in the root of the checkout, and nothing more."""
    variables = {name: text for name, text in environment().items() if name != "PYTHONPATH"}
    # a real checkout holds the code
    for room in ("inspection", "stages", "pipelines"):
        (project / room).symlink_to(ROOT / room)
    return prefect_worker(project, "by-hand", environment=variables)
