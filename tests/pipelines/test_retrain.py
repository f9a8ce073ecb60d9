import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from inspection.storage import locked, write_json
from tests.pipelines.conftest import make_fail

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]

ROOT = Path(__file__).parents[2]
REFUSES = """
import sys
from pathlib import Path
from inspection.storage import locked
with locked(Path(".state/locks/retrain.lock"), "flow retrain"):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The tables that a run published, by their key."""
    from prefect.artifacts import create_table_artifact
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterId

    published: dict[str, list[Any]] = {}

    def create_and_read_back(table: Any, *, key: str, description: str) -> None:
        made: Any = create_table_artifact(table, key, description)
        wanted = ArtifactFilter(id=ArtifactFilterId(any_=[made]))
        with get_client(sync_client=True) as client:
            (found,) = client.read_artifacts(artifact_filter=wanted)
        published.setdefault(key, []).append(found.data)

    monkeypatch.setattr("pipelines.retrain.create_table_artifact", create_and_read_back)
    return published


def outcomes(done: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["stage"], row["outcome"]) for row in done]


def test_a_run_brings_every_stage_up_to_date_and_publishes_what_it_did(
    project: Path, artifacts: dict[str, list[Any]]
) -> None:
    from pipelines.retrain import retrain

    write_json(project / "metrics/assemble.json", {"test": {"escapes": 0, "bound": 0.05512}})
    assert outcomes(retrain()) == [("double", "ran"), ("report", "ran")]
    assert outcomes(retrain()) == [("double", "up to date"), ("report", "up to date")]
    assert (project / "report.txt").read_text() == "7\n7\n"
    assert len(artifacts["retrain-stages"]) == 2
    assert '"test.bound"' in str(artifacts["retrain-metrics"][0])
    assert "0.05512" in str(artifacts["retrain-metrics"][0])


def test_a_failed_stage_is_tried_twice_fails_the_run_and_stops_what_follows(
    project: Path, artifacts: dict[str, list[Any]]
) -> None:
    from pipelines.retrain import retrain

    make_fail(project)
    write_json(project / "metrics/assemble.json", {"of": "the run before"})
    with pytest.raises(InspectionError, match=r"(?s)stage double: .*the camera is gone"):
        retrain()
    assert (project / "tries.txt").read_text() == "try\ntry\n"
    assert not (project / "report.txt").exists()
    assert '"failed"' in str(artifacts["retrain-stages"][-1])
    assert "retrain-metrics" not in artifacts


def test_no_run_begins_beside_another(project: Path) -> None:
    from pipelines.retrain import LOCK, retrain

    with (
        locked(LOCK, holder="flow retrain"),
        pytest.raises(InspectionError, match=r"retrain\.lock: flow retrain is running already"),
    ):
        retrain()
    assert not (project / "double.txt").exists()


def test_the_deployments_name_their_flows_and_retrain_runs_weekly_one_at_a_time() -> None:
    from prefect.flows import load_flow_from_entrypoint
    from ruamel.yaml import YAML

    deployments = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows: list[Any] = [load_flow_from_entrypoint(one["entrypoint"]) for one in deployments]
    named = [f"{flow.name}/{one['name']}" for flow, one in zip(flows, deployments, strict=True)]

    assert named == ["retrain/weekly", "promote/by-hand", "rollback/by-hand"]
    assert deployments[0]["schedules"][0]["cron"] == "0 2 * * 0"
    assert deployments[0]["concurrency_limit"]["limit"] == 1


def test_results_are_never_pickled() -> None:
    from pipelines.retrain import retrain, run_stage

    for runnable in (retrain, run_stage):
        assert runnable.result_serializer == "json"
        assert runnable.persist_result is False


def test_nested_metrics_become_rows_of_name_and_value() -> None:
    from pipelines.retrain import flat

    metrics = {"test": {"escapes": 0, "rate": 0.123456}, "classes": ["dent"], "gate": None}
    assert [(row["metric"], row["value"]) for row in flat(metrics)] == [
        ("test.escapes", "0"),
        ("test.rate", "0.1235"),
        ("classes", '["dent"]'),
        ("gate", "null"),
    ]


def test_the_program_says_in_one_line_that_a_run_is_under_way(project: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", REFUSES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.retrain"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    holder.communicate()
    assert done.returncode == 1
    assert "retrain: failed\n.state/locks/retrain.lock: flow retrain is running already" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr + done.stdout


def environment() -> dict[str, str]:
    """This process's, with the project importable and the test's Prefect server."""
    from prefect.settings import get_current_settings

    return get_current_settings().to_environment_variables(exclude_unset=True) | {
        "PYTHONPATH": str(ROOT)
    }
