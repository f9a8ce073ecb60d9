import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.drills.kills import Outcome
from benchmarks.drills.whole_pipeline import WholePipeline
from benchmarks.faults import of_each_stage, of_the_pipeline
from stages.train import FEATURE_CACHE, KEPT_HEADS
from tests.bundles import make_bundle


def write_lock(project: Path, **hashes: str) -> None:
    outs = [{"path": path, "md5": digest} for path, digest in hashes.items()]
    with (project / "dvc.lock").open("w") as file:
        YAML().dump({"schema": "2.0", "stages": {"draw": {"outs": outs}}}, file)


def test_other_bytes_and_a_training_that_seems_to_run_are_told(tmp_path: Path) -> None:
    pipeline, outcome = WholePipeline(tmp_path), Outcome("pipeline")
    write_lock(tmp_path, folds="1", crops="2")
    pipeline.note()
    write_lock(tmp_path, folds="1", crops="3")
    (tmp_path / "mlruns").mkdir()
    database = sqlite3.connect(tmp_path / "mlruns/mlflow.db")
    database.execute("CREATE TABLE runs (status TEXT)")
    database.executemany("INSERT INTO runs VALUES (?)", [("KILLED",), ("RUNNING",)])
    database.commit()
    database.close()
    pipeline.check(outcome)

    assert outcome.lost == {
        "crops: other bytes than without a fault": 1,
        "a killed training is still marked as running": 1,
    }


def test_another_bundle_is_told_whatever_else_its_card_says(tmp_path: Path) -> None:
    """Its bytes differ each time by the id of a run; its version names what decides."""
    pipeline, outcome = WholePipeline(tmp_path), Outcome("pipeline")
    write_lock(tmp_path, folds="1")
    bundle = tmp_path / "models/bundle"
    make_bundle(bundle)
    pipeline.note()
    card = json.loads((bundle / "card.json").read_text())
    card["lineage"]["mlflow_run"] = "another"
    (bundle / "card.json").write_text(json.dumps(card))
    pipeline.check(outcome)
    assert outcome.lost == Counter()

    (bundle / "card.json").write_text(json.dumps(card | {"version": "another"}))
    pipeline.check(outcome)

    assert outcome.lost == {"models/bundle: other bytes than without a fault": 1}


def test_what_was_computed_is_forgotten_and_the_data_stay(toy: Path) -> None:
    kept = [str(FEATURE_CACHE / "ab"), str(KEPT_HEADS / "ab")]
    for name in ("drawn.bin", "dvc.lock", "in.txt", ".dvc/cache/files/ab", *kept):
        (toy / name).parent.mkdir(parents=True, exist_ok=True)
        (toy / name).write_text("there")
    WholePipeline(toy).forget()

    assert (toy / "in.txt").is_file()
    computed = ("drawn.bin", "dvc.lock", ".dvc/cache", *kept)
    assert not any((toy / name).exists() for name in computed)


@pytest.mark.slow
def test_a_pipeline_that_is_killed_again_and_again_comes_out_as_without_a_kill(toy: Path) -> None:
    outcome = of_the_pipeline(toy, runs=2, seed=1)

    assert outcome.lost == Counter()
    assert outcome.n_killed >= 2


@pytest.mark.slow
def test_a_retraining_that_is_killed_in_every_stage_comes_out_as_without_a_kill(toy: Path) -> None:
    outcome = of_each_stage(toy, runs=1, seed=1)

    assert outcome.lost == Counter()
    assert outcome.n_killed == 2
