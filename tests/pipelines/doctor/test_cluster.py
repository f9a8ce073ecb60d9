from pathlib import Path

import pytest

from inspection.processors import HELD_TO_AVX2
from inspection.runtime.releases import promote, release
from pipelines.champions import RELEASES
from pipelines.doctor import cluster as module
from pipelines.doctor.cluster import cluster
from pipelines.doctor.finding import FAULT, OK
from tests.bundles import make_bundle
from tests.clusters import PROJECT, scheduler
from tests.servers import HOST, INSTALL, free_port


def test_without_a_name_no_cluster_is_asked() -> None:
    assert list(cluster({})) == []


def test_a_scheduler_that_is_away_is_a_fault() -> None:
    pytest.importorskip("distributed", reason=INSTALL)
    (found,) = cluster({"DASK_SCHEDULER_ADDRESS": f"tcp://{HOST}:{free_port()}"})

    assert (found.state, "no Dask scheduler answers" in found.text) == (FAULT, True)


@pytest.mark.slow
def test_workers_are_counted_and_a_scheduler_without_any_is_a_fault(tmp_path: Path) -> None:
    with scheduler(tmp_path / "dask") as begun:
        variables = {"DASK_SCHEDULER_ADDRESS": begun.address}
        (alone,) = cluster(variables)
        begun.add_workers(2)
        (found,) = cluster(variables)

    assert (alone.state, "the Dask scheduler has no worker" in alone.text) == (FAULT, True)
    assert found.state == OK
    assert "2 workers would judge, and run stages, as we do" in found.text


@pytest.mark.slow
def test_workers_of_another_checkout_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with scheduler(tmp_path / "dask", {"PYTHONPATH": str(tmp_path / "empty")}) as begun:
        begun.add_workers(1)
        (found,) = cluster({"DASK_SCHEDULER_ADDRESS": begun.address})

    assert found.state == FAULT
    assert "cannot run this project" in found.text


@pytest.mark.slow
def test_workers_whose_numpy_is_for_another_processor_are_named_before_a_stage_refuses_them(
    tmp_path: Path,
) -> None:
    older = {"NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"}
    with scheduler(tmp_path / "dask", PROJECT | HELD_TO_AVX2 | older) as begun:
        begun.add_workers(1)
        (found,) = cluster({"DASK_SCHEDULER_ADDRESS": begun.address})

    assert found.state == FAULT
    assert "code of numpy for" in found.text
    assert "with the variables of project.env" in found.remedy


def test_the_champion_of_each_line_is_asked_for_and_once_what_stages_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    releases = tmp_path / "lines/tiles" / RELEASES
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", releases, "1")
    promote(releases, "1")

    *lots, stages = module._needed()
    assert [one.release for one in lots] == [tmp_path / RELEASES, releases / "1"]
    assert (stages.release, stages.held) == (None, True)
