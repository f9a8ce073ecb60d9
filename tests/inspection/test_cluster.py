import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspection import cluster as module
from inspection.cluster import address_of, connected, in_cluster
from inspection.errors import InspectionError
from inspection.workers import Lost
from tests.clusters import PROJECT, scheduler
from tests.labour import die_once, square, square_or_die

VARIABLES = {"DASK_SCHEDULER_ADDRESS": "tcp://plant:8786"}


def test_who_names_an_address_means_it_and_who_names_workers_means_those_of_this_machine() -> None:
    assert address_of("tcp://here:1", None, VARIABLES) == "tcp://here:1"
    assert address_of(None, None, VARIABLES) == "tcp://plant:8786"
    assert address_of(None, 2, VARIABLES) is None
    assert address_of(None, None, {}) is None
    assert address_of(None, None, {"DASK_SCHEDULER_ADDRESS": ""}) is None


def test_without_distributed_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InspectionError, match=r"^distributed: is not installed.*`make plant`"),
        connected("tcp://127.0.0.1:8786"),
    ):
        pass


@pytest.mark.slow
def test_results_come_in_order_and_few_items_are_taken_ahead_of_them(dask: str) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with connected(dask) as cluster:
        results = in_cluster(square, items(), cluster=cluster)
        for n_results in range(1, 5):
            assert next(results) == (n_results - 1) ** 2
            # eight for each worker, and one more for each that was handed over
            assert len(taken) == 2 * 8 + n_results - 1
        assert list(results) == [n * n for n in range(4, 100)]
        assert list(in_cluster(square, [], cluster=cluster)) == []


@pytest.mark.slow
def test_an_exception_of_the_function_passes(dask: str) -> None:
    with connected(dask) as cluster, pytest.raises(TypeError, match="can't multiply sequence"):
        list(in_cluster(square, [1, "two", 3], cluster=cluster))  # type: ignore[list-item]


@pytest.mark.slow
def test_workers_that_are_killed_lose_nothing(dask: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(6)]
    for path in paths[2:]:
        path.write_text(path.name)

    with connected(dask) as cluster:
        assert list(in_cluster(die_once, paths, cluster=cluster)) == list("012345")


@pytest.mark.slow
def test_an_item_that_ends_its_worker_is_lost_and_no_other_is(tmp_path: Path) -> None:
    # by itself Dask gives an item to three workers more
    variables = PROJECT | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with scheduler(tmp_path / "dask", variables) as begun:
        begun.add_workers(2)
        with connected(begun.address) as cluster:
            found = list(in_cluster(square_or_die, range(30), cluster=cluster))

    assert found == [Lost(3) if n == 3 else n * n for n in range(30)]


@pytest.mark.slow
def test_a_scheduler_without_workers_or_that_goes_or_is_not_there_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.2)
    with scheduler(tmp_path / "dask") as begun:
        with (
            connected(begun.address, no_worker_s=0.5) as cluster,
            pytest.raises(InspectionError, match=r"has no worker; start some by `python -m dask"),
        ):
            list(in_cluster(square, range(5), cluster=cluster))

        begun.add_workers(1)
        with connected(begun.address) as cluster:
            results = in_cluster(square, range(1000), cluster=cluster)
            assert next(results) == 0
            begun.process.kill()
            with pytest.raises(InspectionError, match=r"scheduler has gone; .*goes on where it"):
                list(results)

        monkeypatch.setattr(module, "CONNECT_S", 1.0)
        with (
            pytest.raises(InspectionError, match=r"no Dask scheduler answers; start it by `pyth"),
            connected(begun.address),
        ):
            pass
