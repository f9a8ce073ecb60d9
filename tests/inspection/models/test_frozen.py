import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from inspection.models import frozen
from inspection.models.classifier import with_new_head
from inspection.models.frozen import (
    MIRRORED,
    FeatureDataset,
    frozen_features,
    head_logits,
)
from inspection.models.training import fit_head
from inspection.models.windows import Windows
from tests.networks import SCHEDULE, tiny_classifier
from tests.squares import CLASSES, draw_crops

CROPS = draw_crops(4, seed=3)


def features(cache: Path, *, mirrored: bool = False, seed: int = 0) -> frozen.Features:
    model = tiny_classifier(seed)
    return frozen_features(model, CROPS.images, cache, mirrored=mirrored, show_progress=False)


def test_features_are_those_of_the_backbone_to_half_precision(tmp_path: Path) -> None:
    found = features(tmp_path)
    with torch.inference_mode():
        wanted = tiny_classifier().stages(torch.from_numpy(CROPS.images).permute(0, 3, 1, 2))
    for one, other in zip(found.of(np.arange(len(CROPS))), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


def test_the_head_on_features_says_what_the_whole_classifier_says(tmp_path: Path) -> None:
    model = tiny_classifier()
    with torch.inference_mode():
        wanted = model(torch.from_numpy(CROPS.images).permute(0, 3, 1, 2)).numpy()
    got = head_logits(model.head, features(tmp_path), np.arange(len(CROPS)))
    np.testing.assert_allclose(got, wanted, atol=0.02)


@pytest.mark.parametrize("mirror_average", [False, True])
def test_the_head_on_features_judges_in_the_ways_that_the_classifier_does(
    tmp_path: Path, mirror_average: bool
) -> None:
    model = tiny_classifier(mirror_average=mirror_average)
    rows = np.arange(len(CROPS))
    with torch.inference_mode():
        # an untrained head hardly tells one way from another
        model.head.evidence.weight.mul_(100)
        wanted = model(torch.from_numpy(CROPS.images).permute(0, 3, 1, 2)).numpy()
        found = frozen_features(model, CROPS.images, tmp_path, mirrored=True, show_progress=False)
        by_way = [model.head(found.of(rows, way)).numpy() for way in range(len(MIRRORED))]
    np.testing.assert_allclose(head_logits(model.head, found, rows), wanted, atol=0.02)

    others = [by_way[2], by_way[3]] if mirror_average else by_way[1:]
    for other in others:
        assert np.abs(other - wanted).max() > 0.1


@pytest.mark.parametrize("way", range(4))
def test_a_mirrored_crop_and_its_target_are_mirrored_alike(tmp_path: Path, way: int) -> None:
    found = features(tmp_path, mirrored=True)
    axes = [axis for axis, flipped in zip((2, 1), MIRRORED[way], strict=True) if flipped]
    images = torch.from_numpy(np.flip(CROPS.images, axes).copy()).permute(0, 3, 1, 2)
    with torch.inference_mode():
        wanted = tiny_classifier().stages(images)
    for one, other in zip(found.of(np.arange(len(CROPS)), way), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)

    dataset = FeatureDataset(CROPS, found, CLASSES, rows=np.arange(len(CROPS)), seed=0)
    drawn = dataset.__getitems__([3] * 40)
    wanted_maps = found.of([3], way)[0][0]
    of_this_way = [
        row for row, maps in enumerate(drawn["image"][0]) if torch.equal(maps, wanted_maps)
    ]
    assert of_this_way
    target = torch.from_numpy(np.flip(CROPS.targets[3], [a - 1 for a in axes]).copy()) / 255
    assert all(torch.equal(drawn["target"][row], target) for row in of_this_way)


def test_features_are_computed_once_until_crops_or_backbone_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = features(tmp_path)
    monkeypatch.setattr(frozen, "_compute", lambda *_, **__: pytest.fail("computed again"))
    again = features(tmp_path)
    assert torch.equal(first.of([0])[0], again.of([0])[0])
    for changed in ({"mirrored": True}, {"seed": 1}):
        with pytest.raises(pytest.fail.Exception):
            features(tmp_path, **changed)


def test_another_head_learns_from_the_features_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features(tmp_path)
    monkeypatch.setattr(frozen, "_compute", lambda *_, **__: pytest.fail("computed again"))
    for other in ({"dim": 8}, {"groups": 2}, {"mirror_average": True}):
        model = tiny_classifier(**other)
        frozen_features(model, CROPS.images, tmp_path, mirrored=False, show_progress=False)


def test_a_run_that_was_cut_off_leaves_no_features_that_are_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = frozen._compute

    def cut_off(model: object, images: object, ways: object, folder: Path, **_: object) -> None:
        (folder / "stage0.npy").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(frozen, "_compute", cut_off)
    with pytest.raises(KeyboardInterrupt):
        features(tmp_path)
    monkeypatch.setattr(frozen, "_compute", computed)
    assert len(features(tmp_path).stages) == 3


def test_the_oldest_features_are_forgotten_and_what_is_left_of_yesterday(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"set{number}").mkdir()
        os.utime(tmp_path / f"set{number}", (number, number))
    a_day_ago = time.time() - 24 * 3600
    for name, written in (("dead", a_day_ago - 10), ("alive", a_day_ago + 10)):
        (tmp_path / f".incoming.{name}").mkdir()
        os.utime(tmp_path / f".incoming.{name}", (written, written))
    features(tmp_path)
    names = {one.name for one in tmp_path.iterdir()}
    # two sets for each of two regions, of which the new one is one
    assert {"set3", "set4", "set5", ".incoming.alive"} < names
    assert len(names) == 4 + 1


def test_a_head_learns_the_squares_from_features_that_nobody_trained(tmp_path: Path) -> None:
    train, val = draw_crops(20, seed=1), draw_crops(6, fold="val", seed=2)
    torch.manual_seed(0)
    model = with_new_head(tiny_classifier())
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    sets = [
        FeatureDataset(
            crops,
            frozen_features(model, crops.images, tmp_path, mirrored=False, show_progress=False),
            CLASSES,
            rows=np.arange(len(crops)),
            seed=seed,
        )
        for crops, seed in ((train, 0), (val, None))
    ]
    reported: list[int] = []
    history = fit_head(
        model.head, sets[0], sets[1], SCHEDULE,
        on_epoch=lambda number, _: reported.append(number),
    )  # fmt: skip
    assert reported == list(range(SCHEDULE.epochs))
    assert history[-1]["val_loss"] < 0.8 * history[0]["val_loss"]
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_new_head_leaves_the_other_classifier_as_it_is() -> None:
    model = tiny_classifier()
    fresh = with_new_head(model)
    assert fresh.backbone is model.backbone
    assert fresh.head is not model.head
    assert not torch.equal(fresh.head.evidence.weight, model.head.evidence.weight)


def test_a_window_of_a_batch_is_cut_out_of_maps_and_target_alike(tmp_path: Path) -> None:
    found = features(tmp_path, mirrored=True)
    windows = Windows.of((16, 16), CROPS.targets, found.stages)
    assert windows.window != windows.crop
    rows = np.arange(len(CROPS))
    whole = FeatureDataset(CROPS, found, CLASSES, rows=rows, seed=1)
    cut = FeatureDataset(CROPS, found, CLASSES, rows=rows, seed=1, windows=windows)
    drawn = np.random.default_rng(1)
    drawn.integers(found.n_ways, size=len(rows))  # in which way each crop is shown comes first

    of_whole, of_windows = whole.__getitems__(rows), cut.__getitems__(rows)
    starts = [windows.draw(one.numpy() > 0, drawn) for one in of_whole["target"]]
    for row, start in enumerate(starts):
        wanted = windows.cut(of_whole["target"][row], start)
        torch.testing.assert_close(of_windows["target"][row], wanted)
        for maps, others in zip(of_windows["image"], of_whole["image"], strict=True):
            torch.testing.assert_close(maps[row], windows.cut(others[row], start))
    held_out = FeatureDataset(CROPS, found, CLASSES, rows=rows, windows=windows)
    assert held_out.__getitems__(rows)["target"].shape == of_whole["target"].shape
