from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from safetensors.torch import save_file
from torch.nn.functional import avg_pool2d

from inspection.models import anomaly
from inspection.models.anomaly import (
    KINDS,
    PADIM_RIDGE,
    AnomalyModel,
    SeparableBlur,
    _jittered,
    anomalies,
    best_fit,
    fine_stages,
    fit_anomaly_model,
    load_anomaly_model,
    own_weights,
    shifted,
)
from inspection.models.classifier import DefectClassifier
from tests.networks import tiny_classifier
from tests.squares import draw_crop


def normals(seeds: range) -> np.ndarray:
    return np.stack([smooth(draw_crop("normal", seed)[0]) for seed in seeds])


def smooth(crop: np.ndarray) -> np.ndarray:
    """Less texture, and a shape that all normal crops share: a lighter band along the middle."""
    calm = (crop.astype(int) - 120) // 4 + 110
    calm[12:20] += 50
    return calm.astype(np.uint8)


def odd(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A crop with a dark square, and the cells it covers."""
    crop, target = draw_crop("dark", seed)
    calm = smooth(draw_crop("normal", seed)[0])
    calm[crop < 10] = 5
    return calm, target


@pytest.fixture(scope="module")
def classifier() -> DefectClassifier:
    return tiny_classifier()


@pytest.fixture(scope="module", params=KINDS)
def fitted(request: pytest.FixtureRequest, classifier: DefectClassifier) -> AnomalyModel:
    return fit(classifier, kind=request.param)


def fit(classifier: DefectClassifier, **changes: Any) -> AnomalyModel:
    settings: dict[str, Any] = {
        "kind": "filters",
        "n_features": 12,
        "shrinkage": 0.3,
        "score_fraction": 0.05,
        "seed": 0,
    }
    return fit_anomaly_model(classifier, normals(range(20)), **(settings | changes))


def test_normals_score_low_and_an_odd_crop_high(fitted: AnomalyModel) -> None:
    unseen, _ = anomalies(fitted, normals(range(500, 510)))
    strange, _ = anomalies(fitted, np.stack([odd(seed)[0] for seed in range(600, 605)]))
    assert strange.min() > 1.3 * unseen.max()


def test_the_map_is_hottest_where_the_crop_is_odd() -> None:
    model = fit(tiny_classifier())
    pictures, targets = zip(*(odd(seed) for seed in range(600, 605)), strict=True)
    _, maps = anomalies(model, np.stack(pictures))
    assert maps.shape == (5, 8, 16)
    for found, target in zip(maps, targets, strict=True):
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert target[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].max() == 255


def test_maps_move_by_whole_cells_and_the_edge_is_repeated() -> None:
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert shifted(maps, 0, 1)[0, 0].tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert torch.equal(shifted(shifted(maps, 1, 0), -1, 0)[:, :, 1:], maps[:, :, 1:])


def test_a_crop_framed_a_cell_off_fits_as_well_and_its_distances_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.rand(1, 2, 10, 12, generator=generator)
    odd_one = normal.clone()
    odd_one[:, :, 5, 6] += 9
    crops = torch.cat([normal, odd_one, shifted(odd_one, 1, -1)])
    fitted_to = best_fit(crops, normal[0].flatten(1), torch.eye(2).expand(120, 2, 2))
    inner = fitted_to[:, 0, 2:-2, 2:-2]
    assert inner[0].max() < 1e-6
    assert (inner[1:] > 1).sum(dim=(1, 2)).tolist() == [1, 1]
    assert [torch.nonzero(one > 1)[0].tolist() for one in inner[1:]] == [[3, 4], [2, 5]]


def test_the_distance_of_the_fit_that_is_taken_is_the_one_of_anomalib() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.rand(3, 30, generator=generator)
    roots = torch.rand(30, 3, 3, generator=generator)
    inv_covariance = roots @ roots.transpose(1, 2) + torch.eye(3)
    at_home = mean.reshape(1, 3, 5, 6) + 0.01 * torch.rand(2, 3, 5, 6, generator=generator)
    theirs = AnomalyMapGenerator.compute_distance(at_home, [mean, inv_covariance])
    torch.testing.assert_close(best_fit(at_home, mean, inv_covariance), theirs)


@pytest.mark.parametrize("size", [(20, 48), (112, 256)], ids=["small", "of the sample line"])
def test_maps_are_blurred_as_by_anomalib(size: tuple[int, int]) -> None:
    of_anomalib = AnomalyMapGenerator().blur
    maps = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(SeparableBlur(of_anomalib.kernel)(maps), of_anomalib(maps))


def test_a_saved_model_gives_the_same_scores_when_loaded(
    fitted: AnomalyModel, classifier: DefectClassifier, tmp_path: Path
) -> None:
    save_file(own_weights(fitted), tmp_path / "weights.safetensors")
    (tmp_path / "settings.json").write_text(fitted.settings.model_dump_json(), "utf-8")
    loaded = load_anomaly_model(tmp_path, classifier)
    assert loaded is not fitted
    crops = np.stack([odd(600)[0], *normals(range(500, 503))])
    for one, other in zip(anomalies(loaded, crops), anomalies(fitted, crops), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_weights_of_the_classifier_are_not_saved_twice(fitted: AnomalyModel) -> None:
    names = own_weights(fitted)
    assert "padim.gaussian.mean" in names
    assert not [name for name in names if "backbone" in name]


def test_the_score_is_the_mean_of_the_hottest_places(classifier: DefectClassifier) -> None:
    model = fit(classifier, score_fraction=0.05)
    scores, maps = anomalies(model, normals(range(500, 503)))
    hottest = np.sort(maps.reshape(3, -1), axis=1)[:, -6:]  # 5 % of 8 x 16 cells
    np.testing.assert_allclose(scores, hottest.mean(axis=1), rtol=1e-5)


def test_the_same_seed_fits_the_same_and_leaves_the_global_generator_alone(
    classifier: DefectClassifier,
) -> None:
    before = torch.random.get_rng_state()
    crops = normals(range(500, 503))
    (one, _), (same, _), (other, _) = (
        anomalies(fit(classifier, n_features=6, seed=seed), crops) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_more_shrinkage_makes_normals_less_strange(classifier: DefectClassifier) -> None:
    crops = normals(range(500, 503))
    stiff, loose = (anomalies(fit(classifier, shrinkage=s), crops)[0] for s in (0.05, 2.0))
    assert loose.mean() < stiff.mean()


def test_no_more_features_are_asked_for_than_there_are(classifier: DefectClassifier) -> None:
    model = fit(classifier, n_features=2000)
    assert model.settings.n_features == model.settings.n_channels
    assert model.settings.n_fitted == 20


def test_many_crops_are_scored_as_one_by_one(classifier: DefectClassifier) -> None:
    model = fit(classifier, n_features=6)
    crops = normals(range(500, 534))
    together, _ = anomalies(model, crops)
    alone = [anomalies(model, crops[row : row + 1])[0][0] for row in (0, 31, 32, 33)]
    np.testing.assert_allclose(together[[0, 31, 32, 33]], alone, rtol=1e-4)


def test_colour_crops_can_be_normal_too(classifier: DefectClassifier) -> None:
    colour = np.repeat(normals(range(20)), 3, axis=3)
    model = fit_anomaly_model(
        classifier, colour, kind="filters", n_features=12, shrinkage=0.3, score_fraction=0.05,
        seed=0,
    )  # fmt: skip
    strange = np.repeat(odd(600)[0][None], 3, axis=3)
    assert anomalies(model, strange)[0].min() > 1.3 * anomalies(model, colour)[0].max()


def test_a_crop_framed_a_cell_off_is_as_normal_as_one_that_is_not(
    classifier: DefectClassifier,
) -> None:
    model = fit(classifier)
    crops = normals(range(500, 506))
    off = np.concatenate([crops[:, 4:], crops[:, -4:]], axis=1)
    inner = slice(2, -2)
    maps, maps_off = anomalies(model, crops)[1], anomalies(model, off)[1]
    assert maps_off[:, inner, inner].mean() < 1.3 * maps[:, inner, inner].mean()


def test_without_shifts_a_crop_framed_a_cell_off_would_be_strange(
    classifier: DefectClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly, "SHIFTS", [(0, 0)])
    with pytest.raises(AssertionError):
        test_a_crop_framed_a_cell_off_is_as_normal_as_one_that_is_not(classifier)


def test_the_ridge_that_is_reckoned_with_is_the_one_of_anomalib() -> None:
    gaussian = MultiVariateGaussian()
    gaussian.fit(torch.zeros(4, 2, 1, 1))
    np.testing.assert_allclose(
        gaussian.inv_covariance.reshape(2, 2), np.eye(2) / PADIM_RIDGE, rtol=2e-3
    )


@pytest.mark.parametrize(
    ("n_normals", "n_fitted"), [(20, 80), (275, 1100), (276, 828), (366, 1098), (367, 734)]
)
def test_normals_are_tripled_by_copies_as_long_as_all_of_them_are_few(
    n_normals: int, n_fitted: int
) -> None:
    assert len(_jittered(np.zeros((n_normals, 4, 4, 1), np.uint8), seed=0)) == n_fitted


def test_copies_are_moved_by_up_to_two_pixels_in_light_a_tenth_off() -> None:
    crops = np.zeros((200, 9, 9, 1), np.uint8)
    crops[:, 4, 4] = 200
    copies = _jittered(crops, seed=0)
    np.testing.assert_array_equal(copies[:200], crops)

    _, rows, columns, _ = np.nonzero(copies[200:])
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}
    peaks = copies[200:].max(axis=(1, 2, 3))
    assert peaks.min() == pytest.approx(180, abs=2)
    assert peaks.max() == pytest.approx(220, abs=2)


def test_a_place_is_held_against_the_nine_around_it_the_nearest_first() -> None:
    around = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    assert sorted(anomaly.SHIFTS) == around
    steps = [abs(row) + abs(column) for row, column in anomaly.SHIFTS]
    assert steps == [0, 1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("n_places", "n_found"), [(400, 400), (401, 9)])
def test_of_more_than_400_places_the_coarser_are_taken(n_places: int, n_found: int) -> None:
    found = fine_stages([torch.rand(1, 2, 1, n_places), torch.rand(1, 3, 3, 3)])
    assert found[0, 0].numel() == n_found


@pytest.mark.parametrize(("side", "cells"), [(160, 20), (192, 12)], ids=["few", "many"])
def test_many_places_are_averaged_to_the_next_coarser_ones(side: int, cells: int) -> None:
    finest = torch.rand(1, 2, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    coarser = torch.rand(1, 3, side // 16, side // 16)
    found = fine_stages([finest, coarser, torch.rand(1, 5, 4, 4)])
    assert found.shape == (1, 5, cells, cells)
    wanted = finest if cells == side // 8 else avg_pool2d(finest, 2)
    torch.testing.assert_close(found[:, :2], wanted)
