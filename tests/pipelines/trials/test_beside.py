from pathlib import Path

import pytest

from inspection.storage import write_json
from pipelines.trials import beside
from pipelines.trials.beside import tried_beside

SEEDS = {"cost a part": [0.1], "fused AUROC": [0.9], "macro-F1": [0.8]}


@pytest.mark.parametrize(
    ("bundle", "design", "is_stale"),
    [
        ("b1", "d1", False),
        ("b1", "d2", False),  # a change that makes the same bundle
        ("b2", "d1", False),
        ("b2", "d2", True),
        (None, "d2", True),
    ],
)
def test_trials_are_stale_once_project_and_bundle_are_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bundle: str | None,
    design: str,
    is_stale: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {"n_seeds": 1, "numbers": SEEDS, "design": "d1", "beside": "b1"}
    write_json(Path("metrics/seeds.json"), found)
    monkeypatch.setattr(beside, "state", lambda: {"design": design, "beside": bundle})

    assert ("run it again" in tried_beside()) is is_stale
