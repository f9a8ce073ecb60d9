"""Which store is meant, and that a wrong address is told in one line."""

from pathlib import Path

import pytest

from inspection.errors import InspectionError
from stages import tracking
from stages.tracking import TrackingParams, address
from tests.servers import answering


def test_a_folder_is_a_sqlite_store_and_the_environment_overrules_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert address(TrackingParams(store="runs")) == "sqlite:///runs/mlflow.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert address(TrackingParams(store="runs")) == "http://mlflow:5000"


@pytest.mark.parametrize("given", ["htp://mlflow:5000", "file:///runs", "127.0.0.1:5000"])
def test_an_address_that_mlflow_cannot_use_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    with pytest.raises(InspectionError, match=f"'{given}' is no MLflow store") as caught:
        address(TrackingParams())

    assert len(str(caught.value).splitlines()) == 1


def test_a_server_that_does_not_answer_is_told_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(InspectionError, match=r"no answer from 127\.0\.0\.1:9"):
        tracking.connect(TrackingParams())

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_mlflow_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("<html>\n<h1>no such page</h1>\n</html>", status=404) as place:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
        with pytest.raises(InspectionError, match="and not as an MLflow server does") as caught:
            tracking.connect(TrackingParams())

    assert "404" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
