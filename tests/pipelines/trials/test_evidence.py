from pathlib import Path

import pytest

from inspection.storage import read_json
from pipelines.trials import evidence
from pipelines.trials.beside import tried_beside
from tests.pipelines.trials.conftest import N_PARTS

pytestmark = pytest.mark.slow


def test_every_part_counts_once_and_what_was_found_stands_below_the_summary(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["evidence", "--folds", "3"])
    evidence.main()

    found = read_json(Path("metrics/evidence.json"))
    totals = found["totals"]
    assert (totals["n_parts"], totals["n_defective"], totals["escapes"]) == (N_PARTS, 2, 1)
    assert found["by_fold"] == {"fused_auroc": [0.9] * 3, "anomaly_auroc": [None] * 3}
    assert found["fused_auroc"] == 1.0
    # 1 of 2 defective parts escapes, of which there are 5 in 100, at 100 each
    assert found["cost"]["line"]["value"] == pytest.approx(0.05 * 0.5 * 100)
    assert len(Path("artifacts/evidence/parts.csv").read_text().splitlines()) == 1 + N_PARTS
    printed = capsys.readouterr().out
    assert "every part judged by a line that has not seen it, in 3 folds" in printed
    assert "escapes 1 of 2 defective parts" in printed

    found_before = "make evidence: every part judged unseen, in 3 folds:\n  escapes 1 of 2"
    assert found_before in tried_beside()
    (project / "data.dvc").write_text("outs: []\n")
    assert "run it again" in tried_beside()


def test_nothing_is_said_of_what_was_not_tried(project: Path) -> None:
    assert tried_beside() == ""
