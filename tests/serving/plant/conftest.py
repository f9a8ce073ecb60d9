import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inspection.runtime.releases import promote, release
from serving.api import create_plant_app
from serving.plant.lines import Lines
from serving.plant.wiring import plant_of
from serving.recorder import KeepingPolicy
from serving.settings import Settings
from tests.bundles import make_bundle, sample_line


@pytest.fixture(scope="session")
def lines_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of `rods` and one of `tiles`, which know another class and cause, each promoted."""
    folder = tmp_path_factory.mktemp("made")
    regions = {
        "rod": {"size_px": [160, 80], "shows": ["dent", "slide"]},
        "rivet": {"size_px": [80, 80], "shows": ["under_press", "chip"]},
    }
    classes = {name: {} for name in ("normal", "dent", "slide", "under_press", "chip")}
    tiles = sample_line(name="tiles", classes=classes, causes={"dent": "kiln"}, regions=regions)
    for name, line in (("rods", sample_line(name="rods")), ("tiles", tiles)):
        make_bundle(folder / name, version=name, line=line)
        releases = folder / f"{name}-releases"
        release(folder / name, releases, f"{name}-1")
        promote(releases, f"{name}-1")
    return folder


@pytest.fixture
def plant(tmp_path: Path, lines_made: Path) -> Path:
    """A checkout with the line rods in its root, tiles in `lines/`, and `new`, not trained yet."""
    root = tmp_path / "plant"
    shutil.copytree(lines_made / "rods-releases", root / "models/releases")
    shutil.copytree(lines_made / "tiles-releases", root / "lines/tiles/models/releases")
    (root / "lines/new").mkdir()
    return root


@pytest.fixture
def settings(plant: Path) -> Settings:
    return Settings(
        releases=plant / "models/releases",
        tokens=(),
        verdicts=plant / "verdicts",
        policy=KeepingPolicy(0.0, 10**6),
        lines=plant / "lines",
    )


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], tuple[TestClient, Lines]]]:
    """Starts the service of the plant as it lies then."""
    started: list[Lines] = []

    def begin() -> tuple[TestClient, Lines]:
        lines = plant_of(settings)
        lines.start()
        started.append(lines)
        return TestClient(create_plant_app(lines)), lines

    yield begin
    for lines in started:
        lines.stop()
