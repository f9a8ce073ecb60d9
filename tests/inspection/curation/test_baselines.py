import doctest

import cv2
import numpy as np
import pytest
from skimage.feature import hog
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import inspection.curation.baselines
from inspection.curation.baselines import circumstances, fit_svm, fit_tree, hog_features, stack


def striped(*, upright: bool, seed: int) -> np.ndarray:
    """A noisy frame with stripes in one direction."""
    stripes = np.tile(np.where(np.arange(160) // 8 % 2, 180, 60), (160, 1))
    noise = np.random.default_rng(seed).integers(-20, 20, stripes.shape)
    return ((stripes if upright else stripes.T) + noise).astype(np.uint8)


def test_gradients_are_counted_alike_for_frames_of_any_size_and_colour() -> None:
    grey = striped(upright=True, seed=0)
    wide = np.repeat(grey, 2, axis=1)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    lengths = {hog_features(frame).shape for frame in (grey, wide, colour)}
    assert lengths == {(7 * 7 * 2 * 2 * 9,)}  # blocks, cells of a block, orientations
    np.testing.assert_allclose(hog_features(colour), hog_features(grey))


@pytest.mark.parametrize("fit", [fit_svm, fit_tree])
def test_the_yardstick_tells_stripes_by_their_direction(fit: object) -> None:
    assert callable(fit)
    labels = np.array(["upright", "lying"] * 6)
    rows = [striped(upright=label == "upright", seed=seed) for seed, label in enumerate(labels)]
    features = stack(hog_features(frame) for frame in rows)
    model = fit(features[:8], labels[:8])
    assert model.predict(features[8:]).tolist() == labels[8:].tolist()


def test_circumstances_of_a_drawn_frame_counted_by_hand() -> None:
    frame = np.full((128, 128), 200, np.uint8)
    frame[10:-10, 10:-10] = 100
    inner = 108 * 108 / 128**2
    facts = circumstances(frame)
    assert facts["brightness"] == pytest.approx(200 - 100 * inner)
    assert facts["contrast"] == pytest.approx(100 * np.sqrt(inner * (1 - inner)))
    assert facts["border_brightness"] == 200
    assert facts["border_contrast"] == 0
    assert (facts["light_x"], facts["light_y"]) == pytest.approx((0.5, 0.5))


def test_light_is_centred_where_the_part_lies_and_in_the_middle_of_a_black_frame() -> None:
    frame = np.zeros((128, 128), np.uint8)
    black = circumstances(frame)
    assert (black["light_x"], black["light_y"]) == (0.5, 0.5)
    # columns 96..127 and rows 0..63
    frame[:64, 96:] = 250
    facts = circumstances(frame)
    assert (facts["light_x"], facts["light_y"]) == pytest.approx((0.875, 0.25))


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(inspection.curation.baselines).failed == 0


def test_the_yardstick_is_the_same_whatever_the_global_generator_says() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(0, 1, (60, 200))
    labels = generator.choice(["a", "b", "c"], 60)
    found = []
    for seed in (1, 2):
        np.random.seed(seed)
        found.append(fit_svm(features, labels)[-1].coef_)
    np.testing.assert_array_equal(*found)


def test_gradients_are_those_of_a_frame_of_128_in_cells_of_16() -> None:
    frame = striped(upright=False, seed=3)
    small = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA)
    expected = hog(small, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
    np.testing.assert_allclose(hog_features(frame), expected)


@pytest.mark.parametrize(("width_px", "is_bare"), [(9, False), (10, True)])
def test_the_border_is_ten_pixels_of_128_wide(width_px: int, is_bare: bool) -> None:
    frame = np.full((128, 128), 200, np.uint8)
    frame[width_px:-width_px, width_px:-width_px] = 100
    assert (circumstances(frame)["border_brightness"] == 200) == is_bare


def test_the_svm_is_that_of_a_strong_penalty() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 20))
    labels = np.where(features[:, 0] > 0.5, "a", "b")
    scaled = StandardScaler().fit_transform(features)
    machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0, tol=1e-6)
    expected = machine.fit(scaled, labels).coef_
    np.testing.assert_allclose(fit_svm(features, labels)[-1].coef_, expected, atol=2e-3)


def test_the_tree_has_sixteen_leaves_at_most() -> None:
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(400, 1)), generator.choice(["a", "b"], 400)
    tree = fit_tree(features, labels)
    assert tree.get_depth() == 4
    assert 8 < tree.get_n_leaves() <= 16
