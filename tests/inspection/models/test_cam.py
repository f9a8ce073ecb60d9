import numpy as np
import pytest
import torch
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

from inspection.evaluation.cam_scores import measures
from inspection.models.cam import (
    EXPORTABLE,
    FUSED,
    METHODS,
    ClassifierWithHeat,
    as_tensor,
    first_component,
    grad_cam_classes,
    layer_names,
    over_crop,
    raw_cams,
)
from inspection.models.classifier import DefectClassifier
from inspection.models.compiled import compiled
from inspection.models.crops import Crops
from tests.networks import Trained, tiny_classifier
from tests.squares import CLASSES


def defects_of(crops: Crops) -> tuple[Crops, list[int]]:
    """The defective crops, and the numbers of their classes."""
    rows = np.flatnonzero(crops.index["label"] != CLASSES[0])
    found = crops.rows(rows)
    return found, [CLASSES.index(label) for label in found.index["label"]]


def deployed_heat(trained: Trained, method: str) -> tuple[Crops, np.ndarray]:
    """The defective val crops, and the deployed heat (N, 8, 16) of the class each one is of."""
    crops, classes = defects_of(trained.val)
    with torch.no_grad():
        _, heat = ClassifierWithHeat(trained.model, method)(torch.from_numpy(crops.images))
    return crops, heat.numpy()[np.arange(len(crops)), np.array(classes) - 1]


@pytest.mark.parametrize("method", EXPORTABLE)
def test_the_deployed_heat_is_that_of_grad_cam_itself(trained: Trained, method: str) -> None:
    crops, heat = deployed_heat(trained, method)
    _, classes = defects_of(trained.val)
    batches = [
        batch
        for recipe, batch in raw_cams(trained.model, crops.images, classes)
        if recipe == (method, FUSED)
    ]
    expected = np.concatenate(batches)
    assert expected.max() > 0
    np.testing.assert_allclose(heat, expected, rtol=1e-4, atol=1e-4 * expected.max())


def mirroring(trained: Trained) -> DefectClassifier:
    """The trained classifier, but judging each crop together with its mirror image."""
    model = tiny_classifier(mirror_average=True)
    model.load_state_dict(trained.model.state_dict())
    return model


@pytest.mark.parametrize("method", EXPORTABLE)
def test_the_heat_of_both_ways_is_mirrored_back_and_that_of_grad_cam(
    trained: Trained, method: str
) -> None:
    crops, classes = defects_of(trained.val)
    model = mirroring(trained)
    expected = dict(raw_cams(model, crops.images[:6], classes[:6]))[method, FUSED]
    with torch.no_grad():
        logits, heat = ClassifierWithHeat(model, method)(torch.from_numpy(crops.images[:6]))
        torch.testing.assert_close(logits, model(as_tensor(crops.images[:6])))
    of_class = heat.numpy()[np.arange(6), np.array(classes[:6]) - 1]
    np.testing.assert_allclose(of_class, expected, rtol=1e-4, atol=1e-4 * expected.max())
    pairs = zip(of_class, crops.targets[:6], strict=True)
    assert np.mean([measures(one, target)["pointing"] for one, target in pairs]) >= 0.9


@pytest.mark.parametrize("method", EXPORTABLE)
def test_heat_peaks_on_the_drawn_square(trained: Trained, method: str) -> None:
    crops, heat = deployed_heat(trained, method)
    pairs = zip(heat, crops.targets, strict=True)
    pointing = [measures(one, target)["pointing"] for one, target in pairs]
    assert np.mean(pointing) >= 0.9


def test_heat_of_a_square_that_moves_moves_with_it(trained: Trained) -> None:
    crop = np.full((32, 64, 1), 120, np.uint8)
    left, right = crop.copy(), crop.copy()
    left[12:20, 8:16] = right[12:20, 48:56] = 250
    with torch.no_grad():
        pictures = torch.from_numpy(np.stack([left, right]))
        _, heat = ClassifierWithHeat(trained.model, "layercam")(pictures)
    columns = heat[:, 0].sum(dim=1).argmax(dim=1)
    assert columns[0] < 5
    assert columns[1] > 10


def test_normal_crops_are_colder_than_defects_on_the_absolute_scale(trained: Trained) -> None:
    _, heat = deployed_heat(trained, "layercam")
    normals = trained.val.images[(trained.val.index["label"] == CLASSES[0]).to_numpy()]
    with torch.no_grad():
        _, cold = ClassifierWithHeat(trained.model, "layercam")(torch.from_numpy(normals))
    assert float(cold.amax(dim=(1, 2, 3)).median()) < 0.5 * np.median(heat.max(axis=(1, 2)))


def test_every_method_and_layer_gives_heat_per_crop_that_is_not_below_zero(
    trained: Trained,
) -> None:
    crops, classes = defects_of(trained.val)
    found = dict(raw_cams(trained.model, crops.images[:5], classes[:5]))
    assert set(found) == {(m, layer) for m in METHODS for layer in layer_names(trained.model)}
    for heat in found.values():
        assert heat.shape == (5, 8, 16)
        assert heat.min() >= 0


def test_every_method_is_one_of_grad_cam() -> None:
    assert set(grad_cam_classes()) == set(METHODS)


def test_the_first_component_is_that_of_grad_cam_with_its_sign_corrected() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 6, 8, 16)).astype(np.float32)
    maps[:, 2] += 3 * np.linspace(0, 1, 16) ** 4
    expected = get_2d_projection_with_sign_correction(maps)
    found = first_component(maps)
    assert (found.max(axis=(1, 2)) >= -found.min(axis=(1, 2))).all()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_first_component_is_the_same_where_there_are_fewer_places_than_channels() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 40, 3, 4)).astype(np.float32)
    expected = get_2d_projection_with_sign_correction(maps)

    np.testing.assert_allclose(first_component(maps), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(first_component(np.ones((2, 40, 3, 4), np.float32)), 0)


def test_maps_without_any_difference_have_a_first_component_of_nought() -> None:
    np.testing.assert_array_equal(first_component(np.ones((2, 3, 4, 5), np.float32)), 0)


def test_one_recipe_alone_gives_the_heat_that_it_gives_among_all(trained: Trained) -> None:
    crops, classes = defects_of(trained.val)
    recipe = ("gradcam", FUSED)
    among_all = dict(raw_cams(trained.model, crops.images[:5], classes[:5]))[recipe]
    alone = dict(raw_cams(trained.model, crops.images[:5], classes[:5], only=recipe))
    assert list(alone) == [recipe]
    np.testing.assert_array_equal(alone[recipe], among_all)


@pytest.mark.parametrize("mirror_average", [False, True])
def test_a_compiled_backbone_gives_the_heat_that_torch_gives(
    trained: Trained, mirror_average: bool
) -> None:
    crops, classes = defects_of(trained.val)
    model = mirroring(trained) if mirror_average else trained.model
    stages_of = compiled(model, "stages", model.architecture.size_px)
    expected = dict(raw_cams(model, crops.images[:5], classes[:5]))
    found = dict(raw_cams(model, crops.images[:5], classes[:5], stages_of=stages_of))
    assert list(found) == list(expected)
    for recipe, heat in found.items():
        difference = np.abs(heat - expected[recipe]).max()
        assert difference <= 1e-3 * expected[recipe].max(), recipe


def test_mini_batches_come_in_order_and_change_nothing(trained: Trained) -> None:
    crops, classes = defects_of(trained.val)
    small: list[np.ndarray] = []
    for recipe, heat in raw_cams(trained.model, crops.images[:5], classes[:5], batch_size=2):
        if recipe == ("layercam", FUSED):
            small.append(heat)
    at_once = dict(raw_cams(trained.model, crops.images[:5], classes[:5]))["layercam", FUSED]
    np.testing.assert_allclose(np.concatenate(small), at_once, rtol=1e-4, atol=1e-7)


def test_looking_leaves_no_hook_behind(trained: Trained) -> None:
    crops, classes = defects_of(trained.val)
    list(raw_cams(trained.model, crops.images[:2], classes[:2]))
    assert not any(tap._forward_hooks for tap in trained.model.head.taps)


def test_the_deployed_model_gives_the_logits_of_the_classifier(trained: Trained) -> None:
    crops = trained.val.images[:4]
    with torch.no_grad():
        logits, _ = ClassifierWithHeat(trained.model, "gradcam")(torch.from_numpy(crops))
        torch.testing.assert_close(logits, trained.model(as_tensor(crops)))


def test_a_method_that_needs_a_backward_pass_cannot_be_deployed() -> None:
    with pytest.raises(ValueError, match=r"method should be one of .* got 'eigencam'"):
        ClassifierWithHeat(tiny_classifier(), "eigencam")


def test_there_is_no_heat_outside_of_the_centre_that_is_looked_at() -> None:
    model = tiny_classifier(centre_fraction=(0.5, 0.5))
    heat = over_crop(torch.ones(1, 2, 2, 4), model)
    assert heat.shape == (1, 2, 8, 16)
    assert (heat[:, :, 2:6, 4:12] == 1).all()
    assert heat.sum() == 2 * 4 * 8
