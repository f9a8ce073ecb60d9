from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import anomaly
from benchmarks.anomaly import (
    Coreset,
    Result,
    auroc_of_parts,
    by_anomalib,
    by_knurl,
    coresets,
    of_anomalib,
    of_backbone,
    told,
    told_of_coresets,
)
from inspection.errors import InspectionError
from inspection.models.classifier import Architecture, DefectClassifier
from stages.params.fit_anomaly import FitAnomalyParams
from tests.networks import tiny_classifier
from tests.squares import CLASSES, draw_crops

PARAMS = FitAnomalyParams(n_features=20, features="classifier")
NORMALS = draw_crops(8, classes=("normal",), seed=1)
JUDGED = draw_crops(4, fold="val", seed=2)


@pytest.fixture(scope="module")
def classifier() -> DefectClassifier:
    architecture = Architecture(
        backbone="tf_efficientnet_lite0", weights="packaged", classes=CLASSES, size_px=(64, 32),
        mean=(127.5,), std=(127.5,), brightness_damping=0.0, dim=64,
    )  # fmt: skip
    return DefectClassifier(architecture, weights="packaged").eval()


@pytest.mark.slow
def test_both_see_the_same_features_and_tell_squares_from_texture(
    classifier: DefectClassifier,
) -> None:
    model = of_anomalib(classifier, PARAMS, NORMALS.images.shape)
    grey = torch.from_numpy(JUDGED.images[:2]).permute(0, 3, 1, 2).float()
    three = (grey / 255).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        theirs = model.model.feature_extractor(model.pre_processor.transform(three))
        ours = classifier.stages(grey)
    for found, wanted in zip(theirs.values(), ours, strict=False):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)

    results = {
        "Knurl": by_knurl(classifier, NORMALS, JUDGED, PARAMS),
        "anomalib": by_anomalib(classifier, NORMALS, JUDGED, PARAMS),
    }
    for one in results.values():
        assert one.scores.shape == (len(JUDGED),)
        assert auroc_of_parts(one.scores, JUDGED, "normal") > 0.9
    said = told("part", results, JUDGED, "normal")
    assert said.startswith(f"part: {len(JUDGED)} crops of val")
    assert "times as long to fit" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["patchcore", "dfm"])
def test_another_model_by_name_is_fitted_by_both(classifier: DefectClassifier, name: str) -> None:
    params = PARAMS.model_copy(update={"model": name, "bank_size": 100})
    theirs = of_anomalib(classifier, params, NORMALS.images.shape)
    assert type(theirs).__name__.lower() == name
    # 16 crops of 4 x 8 places
    assert getattr(theirs, "coreset_sampling_ratio", 100 / 512) == 100 / 512
    for judge in (by_knurl, by_anomalib):
        found = judge(classifier, NORMALS, JUDGED, params)
        assert auroc_of_parts(found.scores, JUDGED, "normal") > 0.9


def test_coresets_of_as_many_features_cover_about_as_closely() -> None:
    classifier = tiny_classifier()
    params = PARAMS.model_copy(update={"model": "patchcore", "bank_size": 50})
    ours, theirs = coresets(of_backbone(classifier, NORMALS, params), params)
    assert ours.n_kept == theirs.n_kept == 50
    assert ours.n_features == len(NORMALS) * 4 * 8
    assert ours.radius <= 1.02 * theirs.radius


def test_coresets_are_compared_in_times_of_ours() -> None:
    said = told_of_coresets(Coreset(50, 900, 2.0, 0.5), Coreset(50, 900, 2.2, 40.0))
    assert "coreset: 50 of 900 features" in said
    assert "anomalib takes 80.0 times as much CPU, for 1.100 times the radius" in said


def test_a_part_is_scored_by_its_worst_view() -> None:
    scores = np.zeros(len(JUDGED), np.float32)
    is_bad = (JUDGED.index["label"] != "normal").to_numpy()
    first_view = np.arange(len(JUDGED)) % 2 == 0
    scores[is_bad & first_view] = 1
    assert auroc_of_parts(scores, JUDGED, "normal") == 1
    assert auroc_of_parts(-scores, JUDGED, "normal") == 0.5


def test_ratios_are_of_anomalib_by_knurl() -> None:
    scores = np.arange(len(JUDGED), dtype=np.float32)
    results = {"Knurl": Result(scores, 2.0, 4.0), "anomalib": Result(scores, 1.0, 8.0)}
    said = told("part", results, JUDGED, "normal")
    assert "anomalib takes 0.50 times as long to fit, 2.00 times to judge" in said


def test_weights_that_anomalib_cannot_have_are_refused() -> None:
    with pytest.raises(InspectionError, match="both sides start from packaged weights"):
        of_anomalib(tiny_classifier(), PARAMS, NORMALS.images.shape)


def test_without_defects_in_val_there_is_nothing_to_compare(
    tmp_path: anomaly.Path,
) -> None:
    from inspection.models.crops import save_crops
    from tests.squares import joined

    crops = joined(NORMALS, replace(draw_crops(2, classes=("normal",), fold="val", seed=3)))
    save_crops(tmp_path, "part", crops)
    line = anomaly.Line.model_construct(normal="normal")
    with pytest.raises(InspectionError, match="normal and defective ones in val"):
        anomaly.of_project(tmp_path, "part", line)
