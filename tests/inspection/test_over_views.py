import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspection.cluster import ADDRESS
from inspection.errors import InspectionError
from inspection.over_views import BATCH, MIN_VIEWS, over_views
from inspection.processors import HELD_TO_AVX2
from inspection.workers import PROCESSES
from tests.clusters import PROJECT, processes_of, scheduler
from tests.labour import Number, text_and_process, text_or_die_once

TWO = {PROCESSES: "2"}
# Three batches, the last one not full.
VIEWS = [Number(str(number)) for number in range(2 * BATCH + 3)]
TEXTS = [f"text of {view.path}" for view in VIEWS]


IN_PROCESSES = """
import sys
from pathlib import Path
from inspection import over_views as module
from inspection.errors import InspectionError
from tests import labour
module.MIN_VIEWS = 1
function = getattr(labour, sys.argv[1])
views = [labour.Number(name) for name in sys.argv[3:]]
try:
    for text in module.over_views(function, views, data=Path(sys.argv[2]), what="read"):
        print(text)
except InspectionError as error:
    print(error)
"""


def printed(function: str, folder: Path) -> list[str]:
    """The results, by a process of its own: what is killed there takes no other test with it."""
    names = [view.path for view in VIEWS]
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESSES, function, str(folder), *names],
        env=os.environ | PROJECT | TWO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file for each view."""
    for view, text in zip(VIEWS, TEXTS, strict=True):
        (tmp_path / view.path).write_text(text)
    return tmp_path


# Of a file: to the end of the suite its idle processes would take a fifth of a core.
@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variable with the address of a Dask scheduler with two workers."""
    with scheduler(tmp_path_factory.mktemp("dask") / "cluster", PROJECT | HELD_TO_AVX2) as begun:
        begun.add_workers(2)
        yield {ADDRESS: begun.address}


def test_a_small_set_is_read_in_this_process_and_in_order(folder: Path) -> None:
    found = list(over_views(text_and_process, VIEWS, data=folder, what="read", variables=TWO))

    assert found == [(text, os.getpid()) for text in TEXTS]
    assert list(over_views(text_and_process, [], data=folder, what="read", variables=TWO)) == []


def test_from_so_many_views_on_processes_read_them(tmp_path: Path) -> None:
    views = [Number(str(number)) for number in range(MIN_VIEWS)]

    def readers(some: list[Number], variables: dict[str, str]) -> set[int]:
        found = over_views(text_and_process, some, data=tmp_path, what="read", variables=variables)
        return {process for _, process in found}

    assert readers(views[1:], TWO) == {os.getpid()}
    assert readers(views, {PROCESSES: "1"}) == {os.getpid()}
    assert os.getpid() not in readers(views, TWO)


def test_processes_give_the_same_in_the_same_order_though_one_of_them_dies(folder: Path) -> None:
    assert printed("text_or_die_once", folder) == TEXTS


def test_a_view_that_ends_its_process_twice_is_named_and_no_other(folder: Path) -> None:
    *before, last = printed("text_or_die", folder)

    assert before == TEXTS[:17]
    assert last.startswith("17: the process that read it ended twice; look at the file")


def test_an_error_that_cannot_be_sent_is_told_by_its_text(folder: Path) -> None:
    # in a process of its own: Dask, once it is imported, lets every exception be sent
    assert printed("refuse", folder) == ["0: the file is empty"]


def test_progress_is_shown_to_the_last_view(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    list(over_views(text_and_process, VIEWS, data=folder, what="read", variables=TWO))

    assert f"{len(VIEWS)}/{len(VIEWS)}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cluster_gives_the_same_in_the_same_order_though_a_worker_dies(
    folder: Path, dask: dict[str, str]
) -> None:
    found = list(over_views(text_and_process, VIEWS, data=folder, what="read", variables=dask))
    assert [text for text, _ in found] == TEXTS
    assert os.getpid() not in {process for _, process in found}

    again = over_views(text_or_die_once, VIEWS, data=folder, what="read", variables=dask)
    assert list(again) == TEXTS


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_reads_loses_nothing(folder: Path, tmp_path: Path) -> None:
    with scheduler(tmp_path / "dask", PROJECT | HELD_TO_AVX2) as begun:
        workers = begun.add_workers(2)
        variables = {ADDRESS: begun.address}
        many = VIEWS * 20
        found = over_views(text_and_process, many, data=folder, what="read", variables=variables)
        first = next(found)
        processes_of(workers)[-1].kill()
        rest = list(found)

    assert [text for text, _ in (first, *rest)] == TEXTS * 20


@pytest.mark.slow
def test_a_worker_whose_numpy_is_for_another_processor_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    older = {"NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR"}
    with scheduler(tmp_path / "dask", PROJECT | HELD_TO_AVX2 | older) as begun:
        begun.add_workers(1)
        variables = {ADDRESS: begun.address}
        with pytest.raises(
            InspectionError,
            match=r"1 of 2 processes would compute otherwise: worker .*: code of numpy for \S+, "
            r"here \S+; start .* with the variables of project.env",
        ):
            list(over_views(text_and_process, VIEWS, data=folder, what="read", variables=variables))
