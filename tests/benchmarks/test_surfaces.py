from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from benchmarks import surfaces
from benchmarks.surfaces import Trial, drawn_surfaces, known, laid_out, surface_crops, trials_of
from inspection.errors import InspectionError
from inspection.models.classifier import save_classifier
from inspection.models.crops import save_crops
from tests.networks import tiny_classifier
from tests.squares import CLASSES, LINE, draw_crops, joined

CROPS = joined(draw_crops(16, seed=1), draw_crops(4, fold="test", seed=2))


def test_a_surface_is_of_one_fold_and_shows_one_defect_or_none() -> None:
    crops = known(CROPS, [])
    found = list(drawn_surfaces(crops, CLASSES, seed=0))
    assert {one["label"] for one in found} == set(CLASSES)
    for one in found:
        rows = crops.index.iloc[one["rows"]]
        assert set(rows["cv_fold"]) == {one["cv_fold"]}
        assert "test" not in set(rows["fold"])
        defects = [label for label in rows["label"] if label != "normal"]
        assert defects == ([] if one["label"] == "normal" else [one["label"]])

    normal = np.concatenate([one["rows"] for one in found if one["label"] == "normal"])
    assert len(normal) == len(set(normal.tolist()))


def test_the_target_lies_where_the_defect_does() -> None:
    crops = known(CROPS, [])
    bright = next(one for one in drawn_surfaces(crops, CLASSES, 0) if one["label"] == "bright")
    whole = laid_out(crops.images, bright["rows"])
    assert whole.shape == (2 * 32, 3 * 64, 1)
    found = surface_crops(crops, [bright], (96, 32))
    assert found.images.shape == (1, 32, 96, 1)
    assert found.targets.shape == (1, 8, 24)
    assert found.index["target"].tolist() == ["mask"]
    y, x = np.unravel_index(found.images[0].argmax(), (32, 96))
    assert found.targets[0, y // 4, x // 4] == 255


def test_a_surface_is_never_enlarged_and_its_sides_are_whole_cells() -> None:
    assert trials_of(CROPS) == [Trial((192, 64), None), Trial((192, 64), (256, 256))]
    assert surfaces.sized((672, 512), 256 / 672) == (256, 192)
    assert surfaces.sized((672, 512), 512 / (672 * 512) ** 0.5) == (576, 448)


def test_without_marks_there_is_nothing_to_measure() -> None:
    with pytest.raises(InspectionError, match="no mask or box marks a defect"):
        known(draw_crops(2, classes=("normal",), seed=1), [])
    left = known(CROPS, ["dark"])
    assert set(left.index["label"]) == {"normal", "bright"}


@pytest.mark.slow
def test_the_command_tells_the_auroc_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KNURL_PROCESSES", "1")
    model = tiny_classifier()
    train = {"augmentation": "flip", "batch_size": 8, "track": False}
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"line": LINE, "train": train}, file)
    save_crops(Path("artifacts/crops"), "part", CROPS)
    save_classifier(model, Path("artifacts/classifier"))
    monkeypatch.setattr("sys.argv", ["surfaces", "--steps", "8"])
    surfaces.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": AUROC ")[0] for line in lines] == [
        "192 x 64 px",
        "192 x 64 px, windows of 256 x 256 px",
    ]
