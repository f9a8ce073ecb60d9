from pathlib import Path

import pytest

from inspection.runtime.bundle import read_card, write_card
from inspection.storage import read_json
from pipelines.trials import seeds
from pipelines.trials.beside import tried_beside

pytestmark = pytest.mark.slow
METRICS = {
    "totals": {"escape_rate": 0.1, "overkill_rate": 0.0, "review_rate": 0.2},
    "cost": {"line": {"value": 0.25, "low": 0.1, "high": 0.5}},
    "fused_auroc": 0.9,
    "anomaly_auroc": None,
    "classifier": {"macro_f1": 0.8},
}


def test_the_numbers_of_each_seed_stand_side_by_side(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = read_card(project / "made")
    write_card(project / "made", made.model_copy(update={"metrics": METRICS}))
    pipeline = project / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("[split]", "[split, train]"))
    monkeypatch.setattr("sys.argv", ["seeds", "--seeds", "2"])
    seeds.main()

    found = read_json(Path("metrics/seeds.json"))
    assert found["numbers"]["cost a part"] == [0.25, 0.25]
    assert found["numbers"]["anomaly AUROC"] == [None, None]
    one, other = (project / "runs.txt").read_text().splitlines()
    assert "'train': {'track': False, 'seed': 1}" in one
    assert "'fit_anomaly': {'seed': 2}" in other
    printed = capsys.readouterr().out
    assert "cost a part                 0.250    0.250    0.250" in printed
    assert "anomaly AUROC" not in printed
    assert "cost a part 0.250 to 0.250" in tried_beside()
