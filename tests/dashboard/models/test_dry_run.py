"""The button that asks the gate, pressed in the page, with a real registry behind it."""

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.champions import Registry
from pipelines.promote import opened, promote
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.registering import Project

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

PAGE = ROOT / "dashboard/models/page.py"
# A process that imports MLflow and judges some parts, on a machine that is busy with other tests.
PATIENCE_S = 300


@pytest.fixture
def registry(line_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Of a project in the current folder, whose first version serves and whose second wants to."""
    store = TrackingParams(store=str(line_folder / "mlruns"), experiment="promotion")
    project = Project(line_folder, store, "test-line")
    project.register(monkeypatch, "a")
    assert promote(by="Ada") == "promoted"
    project.register(monkeypatch, "b")

    # the page's command finds the store by itself, not by what MLflow has put into this process
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return opened()[2]


def ask(page: AppTest) -> str:
    """Press the button; what the gate's command has said."""
    (button,) = [one for one in page.button if one.label == "Dry run of the gate"]
    button.click().run()
    assert not page.exception
    (said,) = page.code
    return str(said.value)


def test_a_dry_run_is_asked_in_the_page_and_ends_well_or_says_why_not(
    registry: Registry, line_folder: Path
) -> None:
    page = AppTest.from_file(str(PAGE), default_timeout=PATIENCE_S)
    page.query_params["by"] = "Grace"
    page.run()
    said = ask(page)
    assert [one.value for one in page.success] == ["ended well"], said
    assert "ok    escapes: all classes" in said
    assert "this test fold has gated 2 time(s)" in said

    # nothing moves, but the use of the test fold is entered, with who asked
    assert registry.aliases() == {"challenger": "2", "champion": "1"}
    last = registry.entries()[-1]
    assert (last["outcome"], last["who"], last["to"]) == ("dry run", "Grace", "2")

    (line_folder / "params.yaml").unlink()
    said = ask(page)
    assert [one.value for one in page.error] == ["stopped"]
    assert not page.success
    assert "params.yaml" in said
