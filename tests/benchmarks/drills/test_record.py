import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.drills.kills import Outcome
from benchmarks.drills.record import Record
from inspection.errors import InspectionError

FIRST = json.dumps({"outcome": "promoted", "to": "1"})
REFUSED = json.dumps({"outcome": "refused", "to": "2"})
BACK = json.dumps({"outcome": "rolled back", "to": "1"})
TABLES = """
CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT);
CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT);
CREATE TABLE model_version_tags (key TEXT, value TEXT, version INTEGER, name TEXT);
INSERT INTO registered_model_aliases VALUES ('champion', 1, 'rods'), ('challenger', 2, 'rods');
INSERT INTO model_version_tags
VALUES ('release', 'rods-1', 1, 'rods'), ('release', 'rods-2', 2, 'rods');
"""


def write_record(
    root: Path, *, tags: dict[str, str], lines: list[str], serves: str = "rods-1"
) -> None:
    for folder in ("mlruns", "models/releases"):
        (root / folder).mkdir(parents=True)
    database = sqlite3.connect(root / "mlruns/mlflow.db")
    database.executescript(TABLES)
    database.executemany("INSERT INTO registered_model_tags VALUES (?, ?, 'rods')", tags.items())
    database.commit()
    database.close()
    text = "".join(f"{line}\n" for line in lines)
    (root / "models/releases/history.jsonl").write_text(text)
    (root / "models/releases/champion.json").write_text(json.dumps({"version": serves}))


def lost(root: Path, n_moves: int) -> Counter[str]:
    outcome = Outcome("promote")
    Record(root).check(n_moves, outcome)
    return outcome.lost


def test_a_record_that_agrees_with_what_serves_has_lost_nothing(tmp_path: Path) -> None:
    tags = {"entry-000001": FIRST, "entry-000002": REFUSED, "note": "x"}
    write_record(tmp_path, tags=tags, lines=[FIRST, REFUSED])

    assert Record(tmp_path).n_moves == 1
    assert lost(tmp_path, 1) == Counter()


def test_the_history_is_held_against_all_of_an_entry_which_its_version_has(tmp_path: Path) -> None:
    whole = json.dumps({"outcome": "promoted", "to": "1", "rules": []})
    write_record(tmp_path, tags={"entry-000001": FIRST}, lines=[whole])
    assert lost(tmp_path, 1) == {"registry and history tell different things": 1}

    with closing(sqlite3.connect(tmp_path / "mlruns/mlflow.db")) as database, database:
        row = ("entry-000001", whole, 1, "rods")
        database.execute("INSERT INTO model_version_tags VALUES (?, ?, ?, ?)", row)
    assert lost(tmp_path, 1) == Counter()


@pytest.mark.parametrize("n_moves", [1, 3])
def test_a_move_that_is_missing_or_there_twice_is_told(tmp_path: Path, n_moves: int) -> None:
    tags = {"entry-000001": FIRST, "entry-000002": BACK}
    write_record(tmp_path, tags=tags, lines=[FIRST, BACK])

    assert lost(tmp_path, n_moves) == {"a move is not in the record, or twice": 1}


@pytest.mark.parametrize("lines", [[], [FIRST, FIRST], [REFUSED]])
def test_a_history_that_tells_something_else_is_told(tmp_path: Path, lines: list[str]) -> None:
    write_record(tmp_path, tags={"entry-000001": FIRST}, lines=lines)

    assert lost(tmp_path, 1) == {"registry and history tell different things": 1}


def test_another_release_and_a_move_that_is_not_finished_are_told(tmp_path: Path) -> None:
    tags = {"entry-000001": FIRST, "moving": "entry-000002"}
    write_record(tmp_path, tags=tags, lines=[FIRST], serves="rods-2")

    assert lost(tmp_path, 1) == {
        "another release serves than the registry's champion": 1,
        "a move is not finished": 1,
    }


def test_a_drill_in_the_registry_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match="unset MLFLOW_TRACKING_URI"):
        _ = Record(tmp_path).n_moves
