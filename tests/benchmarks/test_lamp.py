from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.lamp import NOTICED_WITHIN, Shot, lit, normal_shots, replayed, told
from inspection.images import read_frame
from inspection.runtime.releases import promote, release
from inspection.storage import read_json
from samples.draw import draw_line
from tests.architecture import ROOT
from tests.bundles import draw_part, make_bundle


def write_shots(folder: Path, n_parts: int) -> list[Shot]:
    shots = []
    for number in range(n_parts):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), draw_part(seed=number))
        shots.append(Shot(f"P{number}", "Ch00", (path,)))
    return shots


@pytest.mark.slow
def test_a_dimmer_lamp_is_heard_of_and_the_usual_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    make_bundle(Path("models/bundle"))
    release(Path("models/bundle"), Path("models/releases"), "1")
    promote(Path("models/releases"), "1")

    usual, dim = replayed(write_shots(tmp_path, NOTICED_WITHIN), 0.7, tmp_path)

    assert usual.n_parts is None
    assert dim.n_parts in range(10, NOTICED_WITHIN + 1, 10)
    first, second, *alarms = told(usual, dim, NOTICED_WITHIN, 0.7).splitlines()
    assert first == "100 normal parts in the usual light: no alarm"
    assert second == f"100 normal parts at 70% of it: an alarm after {dim.n_parts}"
    assert any("brightness" in alarm for alarm in alarms)


@pytest.mark.slow
def test_whole_views_of_normal_parts_are_sent_each_part_once_for_each_camera(
    tmp_path: Path,
) -> None:
    draw_line(out=tmp_path / "data", truth=tmp_path / "truth", n_parts=20, seed=3)
    views = read_json(tmp_path / "truth/truth.json")["views"]
    normal = {one["part_id"] for one in views.values() if one["true_class"] == "normal"}

    shots = normal_shots(tmp_path)

    assert len(shots) == len({(one.part_id, one.camera) for one in shots})
    assert {one.part_id for one in shots} <= normal
    assert [one.part_id for one in shots] != sorted(one.part_id for one in shots)
    assert all(path.is_file() for one in shots for path in one.files)


def test_a_dimmer_lamp_takes_its_share_of_the_light(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((32, 48), 200, np.uint8))
    (tmp_path / "b.jpg").write_bytes(lit(tmp_path / "a.png", 0.7))

    assert read_frame(tmp_path / "b.jpg", channels=1, bit_depth=8).mean() == pytest.approx(
        140, abs=1
    )
