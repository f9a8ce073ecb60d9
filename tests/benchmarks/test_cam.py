from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from benchmarks import cam
from inspection.models.cam import EIGEN_METHODS, METHODS, layer_names, over_crop, raw_cams
from inspection.models.classifier import save_classifier
from inspection.models.crops import save_crops
from tests.networks import tiny_classifier
from tests.squares import LINE, draw_crops


def test_the_loop_makes_the_same_maps_one_after_the_other() -> None:
    """grad-cam stretches each of its maps to 0..1, and to the size of the crop."""
    model = cam.as_it_is(tiny_classifier(seed=3))
    crops = draw_crops(1, seed=1)
    images, classes = crops.images[2:4], [1, 1]
    searched = dict(raw_cams(model, images, classes))
    n_layers = len(layer_names(model))
    looped = list(cam.looped(model, images, classes))
    assert len(looped) == len(METHODS) * n_layers * len(images)

    for number, recipe in enumerate((method, layer) for method in METHODS
                                    for layer in layer_names(model)):  # fmt: skip
        if recipe[0] in EIGEN_METHODS:
            continue  # its sign is drawn anew by each decomposition
        for view in range(len(images)):
            by_loop = torch.from_numpy(looped[number * len(images) + view])[:, None]
            wanted = over_crop(by_loop, model).flatten().numpy()
            found = searched[recipe][view].flatten()
            if found.std() > 0 and wanted.std() > 0:
                assert np.corrcoef(found, wanted)[0, 1] > 0.9, recipe


def test_the_command_prints_how_many_times_as_long_the_loop_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"line": LINE}, file)
    save_crops(Path("artifacts/crops"), "part", draw_crops(2, fold="val", seed=1))
    save_classifier(tiny_classifier(mirror_average=True), Path("artifacts/classifier"))
    monkeypatch.setattr("sys.argv", ["cam", "--views", "12", "--looped", "2"])
    cam.main()
    said = capsys.readouterr().out
    assert said.startswith("32 recipes on 12 views: ")
    assert "(2 views)" in said
    assert "times as long" in said
