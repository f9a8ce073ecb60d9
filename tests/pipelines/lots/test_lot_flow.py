from pathlib import Path

import pytest

from tests.lots import put_parts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]


def test_the_flow_writes_the_table_and_returns_the_counts(project: Path) -> None:
    from pipelines.lots.lot_flow import inspect_lot

    put_parts(project / "shots", range(4))
    (project / "shots/Ch00_0009_9.jpg").write_bytes(b"")

    assert inspect_lot("shots", "out.parquet", workers=1) == {
        "pass": 1, "reject": 3, "refused": 1
    }  # fmt: skip
    assert Path("out.parquet").is_file()
