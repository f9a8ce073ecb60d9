from pathlib import Path

import pytest

from pipelines.doctor.__main__ import checks

pytestmark = pytest.mark.filterwarnings("default")  # DVC's own


def test_each_line_is_looked_at_and_its_remedies_are_about_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (project / "params.yaml").write_text("tracking: {store: mlruns}\n")
    for name in ("rods", "tiles"):
        (project / "lines" / name).mkdir(parents=True)
    tiles = project / "lines/tiles"
    (tiles / "params.yaml").write_text("tracking: {store: mlruns}\n")
    (tiles / "data.dvc").write_text("outs: []\n")

    found = list(checks())

    of_root, of_rods, of_tiles = (
        {one.subject: one for one in found if one.text.partition(": ")[0] == name}
        if name
        else {one.subject: one for one in found}
        for name in ("", "rods", "tiles")
    )
    assert {"git", "disk", "service"} <= of_root.keys()
    subjects = ["params.yaml", "data", "dvc.lock", "parameters", "champion", "MLflow"]
    assert list(of_rods) == list(of_tiles) == subjects
    assert (of_rods["data"].state, of_tiles["data"].state) == ("warning", "fault")
    assert of_rods["data"].remedy == "`make adopt LINE=rods DATA=<folder>`"
    assert of_tiles["data"].remedy.startswith("`dvc --cd lines/tiles pull`, or ")
    assert of_tiles["dvc.lock"].remedy == "`dvc --cd lines/tiles repro`"
    assert of_tiles["champion"].remedy == (
        "`cd lines/tiles && PYTHONPATH=../.. python -m pipelines.promote`"
    )
    assert Path.cwd() == project
