"""Registering in a real store: what a version holds, and that it is registered once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from inspection.errors import InspectionError
from inspection.storage import locked
from stages import tracking
from tests.registering import LINEAGE, Project

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Register = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path, tracked: tracking.TrackingParams) -> Project:
    return Project(tmp_path, tracked, f"line-of-{tmp_path.name}")


def registry(project: Project) -> Any:
    return tracking.connect(project.store).MlflowClient()


def test_a_version_holds_what_a_reviewer_asks_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = project.register(monkeypatch, "a")
    client, name = registry(project), project.line.name
    version = client.get_model_version(name, "1")
    run = client.get_run(version.tags["run_id"])
    place = version.tags["artifacts"]
    logged = {entry.path for entry in client.list_artifacts(run.info.run_id, place)}

    assert receipt["version"] == "1"
    assert client.get_registered_model(name).aliases == {"challenger": 1}
    assert version.description.startswith(f"# {name}, bundle a")
    assert logged == {f"{place}/{leaf}" for leaf in
                      ("card.json", "confusion.csv", "confusion.svg", "gallery", "lineage",
                       "params.yaml", "report")}  # fmt: skip
    assert re.fullmatch(rf"{name} 01234567 \d{{4}}-\d\d-\d\d bundle a", run.info.run_name)
    assert run.inputs.dataset_inputs[0].dataset.name == f"{name} data.dvc"
    assert float(version.tags["quarantined_fraction"]) == 0.02


def test_a_version_traces_back_and_shows_how_it_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "a")
    mlflow = tracking.connect(project.store)
    tags = mlflow.MlflowClient().get_model_version(project.line.name, "1").tags
    info = mlflow.models.get_model_info(f"models:/{project.line.name}/1")
    description = mlflow.MlflowClient().get_model_version(project.line.name, "1").description

    assert tags["git_revision"] == LINEAGE["git_revision"]
    assert tags["data_dvc"] == LINEAGE["data"]
    assert tags["params"] == LINEAGE["params"]
    # a run of a training has those of its own stage, and may be the run of several bundles
    (logged_model,) = mlflow.search_logged_models(
        experiment_ids=[mlflow.get_experiment_by_name(project.store.experiment).experiment_id],
        output_format="list",
    )
    assert logged_model.params == {"train.epochs": "3"}
    assert {"sha256_classifier.onnx", "sha256_anomaly.onnx", "sha256_card.json"} <= set(tags)
    assert info.signature.inputs.input_names() == ["part_id", "image"]
    assert info.signature.outputs.input_names() == ["part_id", "verdict", "label", "cause"]
    assert info.saved_input_example_info is not None
    assert [line for line in description.splitlines() if line.startswith("## ")] == [
        "## Claim", "## Cost and measures", "## Limits", "## Artifacts",
    ]  # fmt: skip
    place = tags["artifacts"]
    logged = mlflow.artifacts.load_text
    assert logged(f"runs:/{tags['run_id']}/{place}/params.yaml") == LINEAGE["params"]
    # the one part is a dent that was called a slide
    confusion = logged(f"runs:/{tags['run_id']}/{place}/confusion.svg")
    assert confusion.count("rgba(200,0,0,1.00)") == 1
    assert "| class | parts | pass | review | reject | error rate | at most |" in description


def test_the_fold_of_every_view_is_kept_with_the_version(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.register(monkeypatch, "a")
    mlflow = tracking.connect(project.store)
    tags = mlflow.MlflowClient().get_model_version(project.line.name, "1").tags
    views = mlflow.artifacts.download_artifacts(
        run_id=tags["run_id"], artifact_path=f"{tags['artifacts']}/lineage/views.parquet"
    )

    assert pd.read_parquet(views)["fold"].value_counts().to_dict() == {"test": 18, "train": 1}


def test_the_same_card_makes_no_second_version_and_another_one_does(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = [project.register(monkeypatch, name)["version"] for name in ("a", "a", "b")]

    assert again == ["1", "1", "2"]
    found = registry(project).get_registered_model(project.line.name).aliases
    assert found == {"challenger": 2}


def test_the_model_ships_only_what_serving_needs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "a")
    mlflow = tracking.connect(project.store)
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{project.line.name}/1"))
    packages = {path.name for path in (folder / "code/inspection").iterdir() if path.is_dir()}

    assert packages - {"__pycache__"} == {"runtime"}


def test_aliases_wait_for_another_writer(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_S", 0.2)
    lock = Path(project.store.store) / ".aliases.lock"
    with (
        locked(lock, holder="the test"),
        pytest.raises(InspectionError, match="another change of the registry's aliases is running"),
    ):
        project.register(monkeypatch, "a")
