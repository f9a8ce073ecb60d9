from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inspection.evaluation.cam_truth import cam_truth
from inspection.evaluation.part_scores import group_by_part
from inspection.models.crops import Crops, save_crops
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View, ViewOutputs
from pipelines.trials.heat import COLUMNS, heat_by_part
from tests.bundles import draw_jpeg, make_bundle

VIEWS = (  # part, what is drawn, label in the crop, fold, how its place is known
    ("1", "dent", "dent", "test", "box"),
    ("1", "dent", "dent", "test", "box"),
    ("1", "dent", "dent", "test", "unknown"),
    ("2", "dent", "slide", "test", "box"),
    ("3", "dent", "dent", "train", "box"),
    ("4", "normal", "normal", "test", "normal"),
    ("5", "slide", "slide", "unseen", "box"),
)


Measure = Callable[[Inspector, View], ViewOutputs]


def with_heat_of_a_network(measure: Measure) -> Measure:
    """Heat as a network gives it: never below zero, on cells of 4 px as the targets have them."""

    def measured(inspector: Inspector, view: View) -> ViewOutputs:
        outputs = measure(inspector, view)
        output = outputs.detectors["classifier"]
        heat = np.kron(output.heat.clip(min=0), np.ones((1, 2, 2), np.float32))
        return replace(
            outputs, detectors=outputs.detectors | {"classifier": replace(output, heat=heat)}
        )

    return measured


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with data, crops and a bundle, as a trial leaves it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Inspector, "measure", with_heat_of_a_network(Inspector.measure))
    make_bundle(tmp_path / "models/bundle")
    (tmp_path / "data").mkdir()
    rows = []
    for number, (part, drawn, label, fold, target) in enumerate(VIEWS):
        path = f"{number}.jpg"
        (tmp_path / "data" / path).write_bytes(draw_jpeg(drawn, seed=number))
        row = {"path": path, "part_id": part, "fold": fold, "label": label, "target": target}
        rows.append(row)
    targets = np.zeros((len(rows), 20, 40), np.uint8)
    # the spot lies at 84, 112 of the frame, and the crop begins at 20, 88 there
    targets[:, 6:12, 16:22] = 255
    images = np.zeros((len(rows), 80, 160, 1), np.uint8)
    (tmp_path / "artifacts/crops").mkdir(parents=True)
    save_crops(tmp_path / "artifacts/crops", "rod", Crops(images, targets, pd.DataFrame(rows)))
    return tmp_path


@pytest.mark.usefixtures("project")
def test_heat_is_measured_where_a_part_held_back_has_a_defect_that_is_named() -> None:
    found = heat_by_part()
    assert tuple(found.columns) == COLUMNS
    assert dict(zip(found["part_id"], found["n_views"], strict=True)) == {"1": 2, "5": 1}
    shares = found[["energy", "edge", "elsewhere"]]
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert (found["energy"] > 0.5).all()


def test_over_all_views_it_is_what_the_card_says(project: Path) -> None:
    """The card's means are over views, as `assemble` takes them of all parts at once."""
    found = heat_by_part()
    inspector = Inspector(project / "models/bundle")
    held_back = [number for number, view in enumerate(VIEWS) if view[3] != "train"]
    outputs = [
        inspector.measure(View(f"{number}.jpg", (project / f"data/{number}.jpg").read_bytes()))
        for number in held_back
    ]
    parts = group_by_part(outputs, [VIEWS[number][0] for number in held_back])
    index = pd.read_parquet(project / "artifacts/crops/rod.parquet")
    targets = np.load(project / "artifacts/crops/rod.targets.npy")
    crops = Crops(np.zeros((len(VIEWS), 0, 0, 1), np.uint8), targets, index)

    wanted = cam_truth(parts, inspector.card, crops)
    for share in ("energy", "edge"):
        mean = np.average(found[share], weights=found["n_views"])
        assert mean == pytest.approx(wanted[share])
