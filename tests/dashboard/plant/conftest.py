import json
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from inspection.monitoring.outcomes import Checked
from inspection.monitoring.watching import Alarm
from inspection.runtime.releases import promote, release
from inspection.runtime.verdict import VERDICTS
from pipelines.watch import Watched, keep
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.dashboard.conftest import make_line_folder, save

AT = "2026-11-25T10:42:07+00:00"
TABLES = ("artifacts/manifest", "artifacts/labels", "artifacts/folds")


def make_plant(folder: Path) -> None:
    """A line in the root, `tiles` whose parts are called T1 and so on, and `new`, not run yet."""
    make_line_folder(folder)
    tiles = folder / "lines/tiles"
    tiles.mkdir(parents=True)
    make_line_folder(tiles)
    for path in (path for name in TABLES for path in (tiles / name).glob("*.parquet")):
        table = pd.read_parquet(path)
        if "part_id" in table:
            save(path, table.assign(part_id="T" + table["part_id"].astype(str)))
    (folder / "lines/new").mkdir()

    for root, name in ((folder, "rods"), (tiles, "tiles")):
        make_bundle(root / "models/bundle", version=name, line=sample_line(name=name))
        releases = root / "models/releases"
        release(root / "models/bundle", releases, f"{name}-1")
        promote(releases, f"{name}-1")
        moves = [{"when": AT, "outcome": "promoted", "to": "1"}, {"when": "2026-11-26", "outcome":
                 "refused", "to": "2"}]  # fmt: skip
        (releases / "history.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in moves))
    log(tiles, ["normal", "dent", "dent"])
    alarm = Alarm("1", "Ch00", "", "brightness of rod", 120.0, 84.0, AT, AT, 300)
    checked = {name: Checked(10, 10, int(name == "reject")) for name in VERDICTS}
    keep(tiles / "verdicts", Watched(n_parts=30, since="", alarms=[alarm], checked=checked))


def log(folder: Path, drawn: list[str]) -> None:
    """What the service logs of parts of a line."""
    recorder = Recorder(folder / "verdicts", KeepingPolicy(0.0, 10**8))
    champion = Champion(folder / "models/releases")
    champion.start()
    with TestClient(create_app(champion, recorder=recorder)) as client:
        for number, what in enumerate(drawn):
            files = {"views": ("a.jpg", draw_jpeg(what, seed=number))}
            client.post("/inspect", files=files).raise_for_status()
    recorder.close()
    champion.stop()


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is that of a plant."""
    monkeypatch.chdir(tmp_path)
    make_plant(tmp_path)
    return tmp_path
