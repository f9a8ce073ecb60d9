from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import KINDS, Broker, Camera, running
from tests.lots import make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml and a champion; the current folder."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of each kind."""
    with running(request.param, tmp_path / "broker") as started:
        yield started


@pytest.fixture
def camera(broker: Broker) -> Iterator[Camera]:
    """A camera at the broker."""
    connected = Camera(broker)
    yield connected
    connected.close()
