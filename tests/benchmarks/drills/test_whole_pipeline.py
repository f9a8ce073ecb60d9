import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.drills.whole_pipeline import WholePipeline
from benchmarks.faults import of_each_stage, of_the_pipeline
from benchmarks.kills import Outcome


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


def test_what_was_computed_is_forgotten_and_the_data_stay(toy: Path) -> None:
    for name in ("drawn.bin", "dvc.lock", "in.txt", ".dvc/cache/files/ab"):
        (toy / name).parent.mkdir(parents=True, exist_ok=True)
        (toy / name).write_text("there")
    WholePipeline(toy).forget()

    assert (toy / "in.txt").is_file()
    assert not any((toy / name).exists() for name in ("drawn.bin", "dvc.lock", ".dvc/cache"))


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
