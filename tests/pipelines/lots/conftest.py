from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.lots.journal import Journal
from tests.clusters import scheduler
from tests.lots import make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml and a champion; the current folder."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    with closing(Journal(tmp_path / "j.db")) as opened:
        yield opened


# Of a file: to the end of the suite its idle processes would take a fifth of a core.
@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers."""
    with scheduler(tmp_path_factory.mktemp("dask") / "cluster") as begun:
        begun.add_workers(2)
        yield begun.address
