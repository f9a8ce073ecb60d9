"""The table of verdicts of a lot, grown shard by shard: a run that is killed goes on where it was.

Beside `verdicts.parquet`, in `verdicts.parquet.parts/`, lie the plan of the lot and a shard for
each so many parts. Shards and table come whole or not at all, and hold no time, so that the table
does not depend on how often the run was interrupted.
"""

import glob
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from inspection.errors import InspectionError
from inspection.storage import read_json, replacing, write_json
from pipelines.lots.judging import Row

PLAN = "plan.json"
METADATA = b"knurl"
# The columns that are lists or mappings are JSON texts.
SCHEMA = pa.schema(
    [
        ("part_id", pa.string()),
        ("verdict", pa.string()),
        ("label", pa.string()),
        ("region", pa.string()),
        ("fused", pa.float64()),
        ("scores", pa.string()),
        ("thresholds", pa.string()),
        ("n_views", pa.int64()),
        ("worst_view", pa.string()),
        ("boxes", pa.string()),
        ("reasons", pa.string()),
        ("error", pa.string()),
        ("release", pa.string()),
        ("card_sha256", pa.string()),
        ("views", pa.string()),
    ]
)


@dataclass(frozen=True)
class Plan:
    """What a table is made of."""

    lot_sha256: str
    n_parts: int
    release: str
    card_sha256: str


class VerdictTable:
    """The table at `path`, and its shards until it is finished."""

    def __init__(self, path: Path) -> None:
        if path.suffix != ".parquet":
            raise InspectionError(f"{path}: the table is parquet; name it so")
        self.path = path
        self.folder = path.with_name(f"{path.name}.parts")

    def begin(self, plan: Plan, *, anew: bool = False) -> int:
        """Begin, or go on; the number of parts that are judged already.

        Raises InspectionError where another lot or another release was begun with, unless `anew`.
        """
        if anew:
            self.path.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        self._remove_remains()
        if self.path.is_file():
            _check(plan, self._plan_of_table(), self.path)
            shutil.rmtree(self.folder, ignore_errors=True)
            return plan.n_parts

        plan_file = self.folder / PLAN
        if plan_file.is_file():
            _check(plan, read_json(plan_file), self.folder)
        else:
            write_json(plan_file, asdict(plan))
        return sum(pq.read_metadata(shard).num_rows for shard in self._shards())

    def add_shard(self, rows: Sequence[Row]) -> None:
        """Add the rows of the next shard."""
        shard = self._shard(len(self._shards()))
        with replacing(shard) as temporary:
            pq.write_table(_as_table(rows), temporary)

    def finish(self, plan: Plan) -> None:
        """Put the shards together, once all of them are there."""
        if self.path.is_file():
            return
        metadata = {METADATA: json.dumps(asdict(plan), sort_keys=True)}
        schema = SCHEMA.with_metadata(metadata)
        with (
            replacing(self.path) as temporary,
            pq.ParquetWriter(temporary, schema) as writer,
        ):
            for shard in self._shards():
                writer.write_table(_read(shard))
        shutil.rmtree(self.folder)

    def counts(self) -> Counter[str]:
        """How many parts have each verdict; '' are those that were refused."""
        return Counter(_read(self.path, "verdict")["verdict"].to_pylist())

    def _shard(self, number: int) -> Path:
        return self.folder / f"{number:04d}.parquet"

    def _shards(self) -> list[Path]:
        """The shards that are there, in order; they were written one after the other."""
        found: list[Path] = []
        while (shard := self._shard(len(found))).is_file():
            found.append(shard)
        return found

    def _plan_of_table(self) -> Any:
        metadata = pq.read_schema(self.path).metadata or {}
        return json.loads(metadata.get(METADATA, b"null"))

    def _remove_remains(self) -> None:
        """Take away what writes that were killed have left."""
        for folder, name in ((self.path.parent, self.path.name), (self.folder, "")):
            for left in folder.glob(f".{glob.escape(name)}*.parquet"):
                left.unlink()


def _read(path: Path, *columns: str) -> pa.Table:
    """A table, or some of its columns.

    `pq.read_table` would add a column for each folder above that is called `key=value`.
    """
    with pq.ParquetFile(path) as file:
        return file.read(list(columns) or None)


def _check(plan: Plan, found: Any, where: Path) -> None:
    """Raise InspectionError where something else was begun than is asked for now."""
    before = found if isinstance(found, dict) else {}
    if before == asdict(plan):
        return

    same_lot = before.get("lot_sha256") == plan.lot_sha256
    was = f"release {before.get('release')}" if same_lot else "other frames"
    now = f"release {plan.release} is the champion" if same_lot else "these"
    raise InspectionError(
        f"{where}: was begun with {was}, and now {now}; --anew judges all of them again, "
        "another --out keeps both"
    )


def _as_table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist([_flat(row) for row in rows], schema=SCHEMA)


def _flat(row: Row) -> Row:
    return {
        key: json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, dict | list)
        else value
        for key, value in row.items()
    }
