from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inspection.runtime.releases import promote, release
from serving.api import create_app
from serving.champion import Champion, Served
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with release 1, the champion."""
    folder = tmp_path_factory.mktemp("models")
    make_bundle(folder / "bundle")
    release(folder / "bundle", folder / "releases", "1")
    promote(folder / "releases", "1")
    return folder / "releases"


@pytest.fixture(scope="session")
def champion(releases: Path) -> Iterator[Champion]:
    champion = Champion(releases)
    champion.start()
    yield champion
    champion.stop()


@pytest.fixture(scope="session")
def served(champion: Champion) -> Served:
    return champion.current()


@pytest.fixture
def client(champion: Champion) -> Iterator[TestClient]:
    with TestClient(create_app(champion)) as client:
        yield client


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service writes nothing: were it to, it would be seen here."""
    monkeypatch.chdir(tmp_path)
