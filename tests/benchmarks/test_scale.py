from pathlib import Path

import pandas as pd
import pytest

from benchmarks.scale import (
    N_DAYS,
    STAGES,
    Measured,
    draw_log,
    draw_versions,
    of_duplicates,
    of_log,
    of_loops,
    of_registry,
    of_stages,
    table,
)
from inspection.errors import InspectionError
from inspection.runtime.verdict_log import daily_verdicts, read_doubtful
from pipelines.champions import Registry
from stages import tracking
from tests.servers import INSTALL


def test_a_drawn_log_holds_every_part_and_keeps_the_pictures_of_those_in_review(
    tmp_path: Path,
) -> None:
    draw_log(tmp_path, 40)
    counts = daily_verdicts(tmp_path, "scale", n_days=N_DAYS)
    assert {one.verdict: one.n for one in counts} == {"pass": 36, "review": 4}
    found = read_doubtful(tmp_path, "scale", at_most=9)
    assert [part.part_id for part in found] == ["P30", "P20", "P10", "P0"]


def test_every_query_of_the_pages_is_timed(tmp_path: Path) -> None:
    found = of_log(30, tmp_path)
    assert list(found)[1:4] == ["record a part", "counts by day", "parts for the review desk"]
    assert found["write all of it, size"].n_bytes > 30 * 500
    assert all(one.seconds > 0 for one in found.values())


def test_the_search_for_near_duplicates_is_timed_where_it_finds_what_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = of_duplicates(100, tmp_path).values()
    assert found.seconds > 0
    assert found.n_bytes == 100 * 216 * 256
    monkeypatch.setattr("benchmarks.scale.duplicates.near_duplicates", lambda *_, **__: [])
    with pytest.raises(InspectionError, match="2 copies were drawn, and 0 pairs found"):
        of_duplicates(100, tmp_path)


@pytest.mark.slow
def test_loops_over_views_are_timed_by_who_shares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason=INSTALL)
    monkeypatch.setenv("KNURL_PROCESSES", "2")
    found = of_loops(20, tmp_path)

    who = ("one thread", "2 threads", "2 processes", "2 of Dask")
    assert list(found) == [f"{loop}, {one}" for loop in ("examine", "look") for one in who]
    assert all(one.seconds > 0 for one in found.values())


def test_the_registry_is_asked_what_the_commands_ask(tmp_path: Path) -> None:
    found = of_registry(3, tmp_path)
    assert list(found)[1:] == [
        "add a version",
        "is a card registered",
        "which version serves",
        "the log of promotions",
        "status",
    ]
    assert all(one.seconds > 0 for one in found.values())


def test_the_drawn_registry_has_a_champion_and_an_entry_for_each_version(tmp_path: Path) -> None:
    store = tracking.TrackingParams(store=str(tmp_path / "mlruns"))
    registry = Registry(tracking.connect(store), "scale", tmp_path / "releases")
    draw_versions(registry, 3)
    assert registry.served() == registry.aliases()["champion"] == "3"
    assert [entry["to"] for entry in registry.entries()] == ["1", "2", "3"]


def test_the_exponent_is_that_of_the_ends() -> None:
    found = {
        n: {"validate": Measured(seconds, 2**20 * 5)}
        for n, seconds in ((10, 1.0), (100, 9.0), (1000, 100.0))
    }
    head, row = table("views", found)
    assert head.split() == ["10", "views", "100", "views", "1,000", "views", "exponent"]
    assert row.split() == [
        "validate",
        "1.0",
        "s",
        "5",
        "MiB",
        "9.0",
        "s",
        "5",
        "MiB",
        "100.0",
        "s",
        "5",
        "MiB",
        "1.00",
    ]


@pytest.mark.slow
def test_the_stages_see_every_drawn_view(tmp_path: Path) -> None:
    found = of_stages(40, tmp_path)
    assert tuple(found) == STAGES
    assert all(one.n_bytes > 0 for one in found.values())
    crops = pd.read_parquet(tmp_path / "artifacts/crops/part.parquet")
    assert len(crops) == 40
    assert crops["part_id"].nunique() == 20
