import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inspection.runtime.inspector import Inspector
from serving.answers import Served
from serving.api import create_app
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    card = (folder / "card.json").read_bytes()
    return Served(Inspector(folder), "1", card, hashlib.sha256(card).hexdigest())


@pytest.fixture
def client(served: Served) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: served)) as client:
        yield client


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service writes nothing: were it to, it would be seen here."""
    monkeypatch.chdir(tmp_path)
