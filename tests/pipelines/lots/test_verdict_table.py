from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from inspection.errors import InspectionError
from pipelines.lots.verdict_table import SCHEMA, Plan, VerdictTable

PLAN = Plan(lot_sha256="a1", n_parts=5, release="7", card_sha256="b2")


def row(number: int, verdict: str = "pass") -> dict[str, Any]:
    lists = {"scores": {"fused": 0.1}, "thresholds": {}, "boxes": [], "reasons": ["찍힘"]}
    texts = dict.fromkeys(SCHEMA.names, "") | {"views": []}
    return texts | lists | {"part_id": str(number), "verdict": verdict, "fused": 0.1, "n_views": 1}


def written(path: Path) -> bytes:
    table = VerdictTable(path)
    assert table.begin(PLAN) == 0
    table.add_shard([row(0), row(1, "reject")])
    table.add_shard([row(2), row(3, "")])
    table.add_shard([row(4)])
    table.finish(PLAN)
    return path.read_bytes()


def test_a_table_holds_every_row_and_leaves_no_shard(tmp_path: Path) -> None:
    written(tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")

    assert list(found.columns) == SCHEMA.names
    assert list(found["part_id"]) == ["0", "1", "2", "3", "4"]
    assert found["scores"][0] == '{"fused": 0.1}'
    assert found["reasons"][0] == '["찍힘"]'
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert VerdictTable(tmp_path / "out.parquet").counts() == {"pass": 3, "reject": 1, "": 1}


def test_it_goes_on_where_it_was_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.parquet")
    VerdictTable(tmp_path / "out.parquet").begin(PLAN)
    VerdictTable(tmp_path / "out.parquet").add_shard([row(0), row(1, "reject")])
    # what a write that was killed has left
    (tmp_path / "out.parquet.parts/.0001.parquet.x.parquet").write_bytes(b"half")
    (tmp_path / ".out.parquet.x.parquet").write_bytes(b"half")

    table = VerdictTable(tmp_path / "out.parquet")
    assert table.begin(PLAN) == 2
    table.add_shard([row(2), row(3, "")])
    assert table.begin(PLAN) == 4
    table.add_shard([row(4)])
    table.finish(PLAN)
    assert (tmp_path / "out.parquet").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "whole.parquet"]


def test_a_finished_table_is_not_begun_again(tmp_path: Path) -> None:
    whole = written(tmp_path / "out.parquet")
    # killed after the table was in its place and before the shards were gone
    (tmp_path / "out.parquet.parts").mkdir()
    table = VerdictTable(tmp_path / "out.parquet")

    assert table.begin(PLAN) == 5
    table.finish(PLAN)
    assert (tmp_path / "out.parquet").read_bytes() == whole
    assert not table.folder.exists()


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"release": "8", "card_sha256": "c3"}, "with release 7, and now release 8 is the champ"),
        ({"lot_sha256": "d4", "n_parts": 6}, "with other frames, and now these"),
    ],
)
def test_another_lot_or_release_is_refused_unless_it_is_to_begin_anew(
    tmp_path: Path, finished: bool, changed: dict[str, Any], said: str
) -> None:
    table = VerdictTable(tmp_path / "out.parquet")
    if finished:
        written(table.path)
    else:
        table.begin(PLAN)
        table.add_shard([row(0)])

    with pytest.raises(InspectionError, match=f"{said}.*--anew"):
        table.begin(replace(PLAN, **changed))
    assert table.begin(PLAN) > 0
    assert table.begin(replace(PLAN, **changed), anew=True) == 0


def test_a_table_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)

    with pytest.raises(InspectionError, match="was begun with other frames"):
        VerdictTable(path).begin(PLAN)


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(InspectionError, match=r"out\.csv: the table is parquet"):
        VerdictTable(Path("out.csv"))
