from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.faults import Outcome, campaign, table
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.registering import Project

REGISTER = (
    "exec python -m stages.register --bundle models/bundle --data data "
    "--manifest manifest.parquet --folds folds.parquet --validation validate.json "
    "--confusion confusion.csv --gallery gallery --report reports --out receipt.json "
    "--metrics metrics.json"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of drawn parts with a bundle, and the code beside it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = Project(tmp_path, TrackingParams(store="mlruns", experiment="drill"), "drill-line")
    made.register(monkeypatch, "a")
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "bundle").rename(tmp_path / "models/bundle")
    for room in ("inspection", "stages", "pipelines"):
        (tmp_path / room).symlink_to(ROOT / room)
    with (tmp_path / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": {"register": {"cmd": REGISTER}}}, file)
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_nothing_is_lost_by_kills_at_random_moments(project: Path) -> None:
    outcomes = campaign(project, ["register", "promote", "rollback"], runs=1, seed=1)

    assert [one.lost for one in outcomes] == [Counter()] * 3, table(outcomes)
    assert sum(one.n_killed for one in outcomes) > 0


def test_the_table_names_what_was_lost() -> None:
    kept, gone = Outcome("register", 3, 1), Outcome("promote", 4, 0, Counter({"the pointer": 2}))

    assert table([kept, gone]).splitlines()[1:] == [
        "register       3        1  nothing",
        "promote        4        0  2",
        "  2 x the pointer",
    ]
