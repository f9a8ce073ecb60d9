from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch.nn.functional import avg_pool2d

from inspection.errors import InspectionError
from inspection.models.anomaly import (
    KINDS,
    MODELS,
    AnomalyModel,
    Normals,
    _jittered,
    anomalies,
    anomalies_by_each,
    features_of_normals,
    fine_stages,
    fit_anomaly_model,
    fitting_mib,
    load_anomaly_model,
    own_weights,
)
from inspection.models.classifier import DefectClassifier
from inspection.models.normality import padim
from inspection.storage import write_json
from tests.networks import tiny_classifier
from tests.squares import draw_crop

LEARNED = {
    "padim": "padim.gaussian.mean",
    "patchcore": "patchcore.memory_bank",
    "dfm": "dfm.pca_model.singular_vectors",
}


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


@pytest.fixture(scope="module", params=product(MODELS, KINDS), ids="-".join)
def fitted(request: pytest.FixtureRequest, classifier: DefectClassifier) -> AnomalyModel:
    model, kind = request.param
    return fit(classifier, model=model, kind=kind)


def fit(classifier: DefectClassifier, **changes: Any) -> AnomalyModel:
    return of_normals(classifier, normals(range(20)), **changes).fitted()


def of_twenty(classifier: DefectClassifier, **changes: Any) -> Normals:
    return of_normals(classifier, normals(range(20)), **changes)


def of_normals(classifier: DefectClassifier, crops: np.ndarray, **changes: Any) -> Normals:
    settings: dict[str, Any] = {
        "kind": "filters",
        "n_features": 12,
        "shrinkage": 0.3,
        "score_fraction": 0.05,
        "seed": 0,
    }
    return features_of_normals(classifier, crops, **(settings | changes))


def test_normals_score_low_and_an_odd_crop_high(fitted: AnomalyModel) -> None:
    unseen, _ = anomalies(fitted, normals(range(500, 510)))
    strange, _ = anomalies(fitted, np.stack([odd(seed)[0] for seed in range(600, 605)]))
    assert strange.min() > 1.3 * unseen.max()


@pytest.mark.parametrize("name", MODELS)
def test_the_map_is_hottest_where_the_crop_is_odd(classifier: DefectClassifier, name: str) -> None:
    model = fit(classifier, model=name)
    pictures, targets = zip(*(odd(seed) for seed in range(600, 605)), strict=True)
    _, maps = anomalies(model, np.stack(pictures))
    assert maps.shape == (5, 8, 16)
    for found, target in zip(maps, targets, strict=True):
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert target[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].max() == 255


def test_a_saved_model_gives_the_same_scores_when_loaded(
    fitted: AnomalyModel, classifier: DefectClassifier, tmp_path: Path
) -> None:
    save_file(own_weights(fitted), tmp_path / "weights.safetensors")
    write_json(tmp_path / "settings.json", fitted.settings.as_json())
    loaded = load_anomaly_model(tmp_path, classifier)
    assert loaded is not fitted
    crops = np.stack([odd(600)[0], *normals(range(500, 503))])
    for one, other in zip(anomalies(loaded, crops), anomalies(fitted, crops), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_weights_of_the_classifier_are_not_saved_twice(fitted: AnomalyModel) -> None:
    names = own_weights(fitted)
    assert LEARNED[fitted.settings.model] in names
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
    monkeypatch.setattr(padim, "SHIFTS", [(0, 0)])
    with pytest.raises(AssertionError):
        test_a_crop_framed_a_cell_off_is_as_normal_as_one_that_is_not(classifier)


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


def test_what_padim_stores_is_what_it_stored_when_it_was_alone(
    classifier: DefectClassifier,
) -> None:
    alone = {"kind", "size_px", "mean", "std", "n_features", "n_channels", "shrinkage",
             "score_fraction", "n_fitted", "seed"}  # fmt: skip
    assert set(fit(classifier).settings.as_json()) == alone
    bank = fit(classifier, model="patchcore", bank_size=50).settings.as_json()
    assert {key: bank[key] for key in bank.keys() - alone} == {
        "model": "patchcore",
        "bank_size": 50,
    }


def test_another_model_of_the_same_features_is_the_one_fitted_by_its_name(
    classifier: DefectClassifier,
) -> None:
    found = of_twenty(classifier, model="padim").for_model("patchcore", 300, 8192)
    alone = fit(classifier, model="patchcore", bank_size=300)
    crops = normals(range(500, 503))
    np.testing.assert_array_equal(anomalies(found.fitted(), crops)[0], anomalies(alone, crops)[0])


def test_several_models_say_together_what_each_says_alone(classifier: DefectClassifier) -> None:
    models = [fit(classifier, model=name, bank_size=300) for name in MODELS]
    crops = normals(range(500, 534))
    together = anomalies_by_each(models, crops)

    for model, (scores, maps) in zip(models, together, strict=True):
        alone_scores, alone_maps = anomalies(model, crops)
        np.testing.assert_array_equal(scores, alone_scores)
        np.testing.assert_array_equal(maps, alone_maps)
    assert len({tuple(scores) for scores, _ in together}) == len(MODELS)


# 80 crops, 20 of them normals and three copies of each, of 14 filters at 8 x 16 places
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("padim", 4 * 80 * 14 * 128 + 2 * 80 * 12 * 128 + 3 * 128 * 12**2),
        ("patchcore", 4 * 80 * 14 * 128 + 2 * 80 * 12 * 128 + 2**22 + 80 * 128 + 32 * 128 * 3000),
        ("dfm", 4 * 80 * 14 * 128 + 2 * 80 * 12 * 128 + 8 * 80 * 12 * 128 // 4),
    ],
)
def test_memory_is_estimated_and_more_than_is_allowed_is_refused_before_the_fit(
    classifier: DefectClassifier, name: str, values: int
) -> None:
    settings = of_twenty(classifier, model=name, bank_size=3000).model.settings
    mib = round(values * 4 / 2**20)
    assert fitting_mib(settings, (4, 20, 14, 8, 16)) == mib
    of_twenty(classifier, model=name, bank_size=3000, max_memory_mib=mib)
    said = f"{name} on 80 crops of 8 x 16 places, 12 filters features each, would take {mib} MiB"
    with pytest.raises(InspectionError, match=said):
        of_normals(
            classifier, normals(range(20)), model=name, bank_size=3000, max_memory_mib=mib - 1
        )


def test_a_model_that_takes_too_much_is_refused_beside_one_that_does_not(
    classifier: DefectClassifier,
) -> None:
    found = of_twenty(classifier, model="padim", max_memory_mib=20)
    with pytest.raises(InspectionError, match=r"max_memory_mib is 20; fit fewer"):
        found.for_model("patchcore", 3000, 20)


def mislabelled(n_normal: int, n_odd: int) -> np.ndarray:
    """Normal crops, some of which are odd ones that somebody called normal."""
    wrong = [odd(seed)[0] for seed in range(700, 700 + n_odd)]
    return np.concatenate([normals(range(n_normal)), np.stack(wrong)])


@pytest.mark.parametrize("name", MODELS)
def test_one_wrong_label_among_twenty_normals_costs_little_auroc(
    classifier: DefectClassifier, name: str
) -> None:
    strange = np.stack([odd(seed)[0] for seed in range(600, 620)])
    judged = np.concatenate([normals(range(500, 520)), strange])
    aurocs = []
    for fitted in (normals(range(40)), mislabelled(38, 2)):
        model = of_normals(classifier, fitted, model=name).fitted()
        scores, _ = anomalies(model, judged)
        aurocs.append(roc_auc_score(np.arange(40) >= 20, scores))
    clean, contaminated = aurocs
    assert contaminated > clean - 0.02
