"""What the registry and the history of a project say of its champion, read from their files."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.drills.kills import Outcome
from benchmarks.drills.whole_pipeline import DATABASE
from inspection.errors import InspectionError
from inspection.runtime.releases import POINTER
from inspection.storage import read_json
from pipelines.champions import ENTRY, HISTORY, MOVES, MOVING, RELEASES
from stages.tracking import CHAMPION


class Record:
    """Who moved the champion, twice: as tags in the registry, as lines of a file."""

    def __init__(self, project: Path) -> None:
        self._database = project / DATABASE
        self._releases = project / RELEASES

    @property
    def n_moves(self) -> int:
        """How often the champion was moved, by the registry."""
        entries = map(json.loads, self._entries())
        return sum(entry.get("outcome") in MOVES for entry in entries)

    def check(self, n_moves: int, outcome: Outcome) -> None:
        """The champion was moved so often; registry, history and what serves agree on it."""
        if self.n_moves != n_moves:
            outcome.lost["a move is not in the record, or twice"] += 1

        history = (self._releases / HISTORY).read_text(encoding="utf-8").splitlines()
        if sorted(history) != sorted(self._entries()):
            outcome.lost["registry and history tell different things"] += 1

        if self._champions_release() != read_json(self._releases / POINTER)["version"]:
            outcome.lost["another release serves than the registry's champion"] += 1
        if self._asked("SELECT 1 FROM registered_model_tags WHERE key = ?", MOVING):
            outcome.lost["a move is not finished"] += 1

    def _entries(self) -> list[str]:
        found = self._asked(
            "SELECT COALESCE(whole.value, brief.value) FROM registered_model_tags AS brief "
            "LEFT JOIN model_version_tags AS whole ON whole.name = brief.name "
            "AND whole.key = brief.key AND whole.version = json_extract(brief.value, '$.to') + 0 "
            "WHERE brief.key LIKE ? ORDER BY brief.key",
            f"{ENTRY}%",
        )
        return [str(value) for (value,) in found]

    def _champions_release(self) -> str:
        found = self._asked(
            "SELECT value FROM registered_model_aliases AS aliases "
            "JOIN model_version_tags AS tags USING (name, version) "
            "WHERE alias = ? AND key = 'release'",
            CHAMPION,
        )
        return str(found[0][0]) if found else "none"

    def _asked(self, query: str, *values: str) -> list[Any]:
        if not self._database.is_file():
            raise InspectionError(
                f"{self._database}: not found; unset MLFLOW_TRACKING_URI, for a drill belongs into "
                "no registry that others use"
            )
        with closing(sqlite3.connect(self._database)) as database:
            return database.execute(query, values).fetchall()
