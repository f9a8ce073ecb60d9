import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from inspection.curation import duplicates
from inspection.curation.duplicate_groups import components
from inspection.curation.duplicates import near_duplicates, thumbnail


def shot(seed: int) -> np.ndarray:
    """A part of its own texture under the light and outline that all parts share."""
    rng = np.random.default_rng(seed)
    frame = np.zeros((216, 256), np.float32)
    frame[40:180, 30:230] = 120 + 25 * rng.standard_normal((140, 200))
    return np.clip(cv2.GaussianBlur(frame, (0, 0), 1.2), 0, 255).astype(np.uint8)


def pairs(frames: list[np.ndarray], apart: list[str] | None = None, **options: float):  # type: ignore[no-untyped-def]
    return near_duplicates(
        np.stack([thumbnail(frame) for frame in frames]),
        min_correlation=options.get("min_correlation", 0.7),
        apart=apart or [str(i) for i in range(len(frames))],
        cameras=[""] * len(frames),
    )


def copies(frame: np.ndarray) -> dict[str, np.ndarray]:
    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return {
        "encoded again": np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)),
        "brighter": np.clip(frame * 1.1, 0, 255).astype(np.uint8),
        "shifted": np.roll(frame, (2, -3), (0, 1)),
        "smaller": cv2.resize(frame, (200, 170), interpolation=cv2.INTER_AREA),
    }


@pytest.mark.parametrize("kind", copies(shot(0)))
def test_a_copy_is_found_among_parts_that_look_alike(kind: str) -> None:
    frames = [shot(seed) for seed in range(12)]
    found = pairs([*frames, copies(frames[5])[kind]])
    assert [(i, j) for i, j, _ in found] == [(5, 12)]
    assert found[0][2] > 0.7


def test_different_parts_of_one_kind_are_not_merged() -> None:
    assert pairs([shot(seed) for seed in range(30)]) == []


def test_what_stands_still_before_the_camera_makes_no_duplicates() -> None:
    holder = shot(999)[:, :170]
    frames = [np.hstack([holder, shot(seed)[:, 170:]]) for seed in range(30)]
    assert len(pairs(frames[:2])) == 1  # two frames do not tell what stands still
    assert pairs(frames) == []


def board(seed: int, design: int = 999) -> np.ndarray:
    """A part with the print of its design, lying anywhere, and a grain of its own."""
    rng = np.random.default_rng(seed)
    prints = cv2.resize(np.random.default_rng(design).random((54, 64)), (256, 216)) > 0.55
    frame = 90 + 70.0 * cv2.GaussianBlur(prints.astype(np.float32), (0, 0), 1.0)
    frame += cv2.GaussianBlur(rng.normal(0, 18, frame.shape), (0, 0), 1.0)
    frame *= np.pad(np.ones((176, 216)), 20)
    shifted = np.roll(frame, rng.integers(-4, 5, 2), (0, 1))
    return np.clip(shifted, 0, 255).astype(np.uint8)


def test_a_print_that_all_parts_bear_makes_no_duplicates_wherever_the_parts_lie() -> None:
    frames = [board(seed) for seed in range(22)]
    assert len(pairs(frames[:8])) > 4  # too few frames to tell what is common
    assert pairs(frames) == []


@pytest.mark.parametrize("kind", ["encoded again", "brighter"])
def test_a_copy_is_found_among_parts_that_bear_one_print(kind: str) -> None:
    frames = [board(seed) for seed in range(22)]
    found = pairs([*frames, copies(frames[5])[kind]])
    assert [(i, j) for i, j, _ in found] == [(5, 22)]


def test_on_a_line_of_four_designs_parts_of_one_are_no_duplicates_and_a_copy_is_found() -> None:
    """A quarter of the parts are of a design, so most peers drawn at random are of another."""
    frames = [board(seed, design=seed % 4) for seed in range(72)]
    found = pairs([*frames, copies(frames[5])["encoded again"]])
    assert [(i, j) for i, j, _ in found] == [(5, 72)]


@pytest.mark.parametrize(("n_of_a_design", "n_pairs"), [(17, 0), (16, 1)])
def test_a_design_is_what_sixteen_others_have_in_common(n_of_a_design: int, n_pairs: int) -> None:
    of_design = [board(seed) for seed in range(n_of_a_design)]
    frames = [*of_design, *(shot(seed) for seed in range(60))]
    textures = duplicates._Textures(np.stack(frames), ["c"] * len(frames))
    apart = [str(i) for i in range(len(frames))]
    found = duplicates._copies_of(0, [1], textures, apart=apart, min_correlation=0.7)
    assert len(found) == n_pairs


def test_a_burst_of_shots_of_one_part_is_no_common_print() -> None:
    rng = np.random.default_rng(0)
    burst = [np.clip(shot(0) + rng.normal(0, 1, (216, 256)), 0, 255) for _ in range(8)]
    frames = [*(one.astype(np.uint8) for one in burst), *(shot(seed) for seed in range(1, 31))]
    joined = components(len(frames), [(i, j) for i, j, _ in pairs(frames)])
    assert list(joined) == [0] * 8 + list(range(8, len(frames)))


def test_a_burst_of_many_shots_is_no_design_where_it_is_less_than_an_eighth_of_the_frames() -> None:
    rng = np.random.default_rng(0)
    burst = [np.clip(shot(0) + rng.normal(0, 1, (216, 256)), 0, 255) for _ in range(20)]
    frames = [*(one.astype(np.uint8) for one in burst), *(shot(seed) for seed in range(1, 221))]
    textures = duplicates._Textures(np.stack(frames), ["c"] * len(frames))
    apart = [str(i) for i in range(len(frames))]
    found = duplicates._copies_of(0, [1, 2], textures, apart=apart, min_correlation=0.7)
    assert [(i, j) for i, j, _ in found] == [(0, 1), (0, 2)]


def test_views_of_one_part_are_not_compared() -> None:
    frames = [shot(1), shot(1), shot(2)]
    assert pairs(frames, ["a", "a", "b"]) == []
    assert [(i, j) for i, j, _ in pairs(frames, ["a", "c", "b"])] == [(0, 1)]


def test_a_comparison_leaves_the_frames_as_they_were() -> None:
    one, copy = shot(1), copies(shot(1))["brighter"]
    alone = pairs([one, copy])[0][2]
    after_another = [c for i, j, c in pairs([one, shot(2), copy]) if (i, j) == (0, 2)]
    assert after_another == pytest.approx([alone])


def test_blank_frames_are_like_nothing() -> None:
    blank = np.zeros((48, 64), np.uint8)
    assert pairs([blank, blank]) == []


@pytest.mark.parametrize("n_views", [3, 4, 6])
def test_a_part_filed_twice_is_found_however_many_views_it_has(n_views: int) -> None:
    """Its own views are most like each other, and must not take the place of the other's."""
    moved = [np.roll(shot(0), (0, view), (0, 1)) for view in range(n_views)]
    frames = [*moved, *(np.roll(one, (2, 0), (0, 1)) for one in moved)]
    others = [shot(seed) for seed in range(1, 12)]
    apart = ["a"] * n_views + ["b"] * n_views + [f"other {i}" for i in range(len(others))]
    found = pairs(frames + others, apart)
    assert found
    assert {(apart[i], apart[j]) for i, j, _ in found} == {("a", "b")}


def texture_of(seed: int) -> np.ndarray:
    """A texture (216, 256) of mean nought, like that of no other seed."""
    return np.random.default_rng(seed).standard_normal((216, 256)).astype(np.float32)


def mixed(one: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A texture whose correlation with `one` is `share`."""
    other = texture_of(seed)
    return share * one + np.float32(np.sqrt(1 - share**2)) * other


def coarsely(angle: float) -> np.ndarray:
    """A frame whose coarse correlation with the one of another angle is cos(their difference)."""
    rng = np.random.default_rng(0)
    patterns, _ = np.linalg.qr(rng.standard_normal((320, 3)) - [[0, 0, 0]])
    one, other = (p - p.mean() for p in patterns.T[:2])
    one /= np.linalg.norm(one)
    other -= (other @ one) * one
    other /= np.linalg.norm(other)
    mixture = (np.cos(angle) * one + np.sin(angle) * other).reshape(16, 20)
    grey = np.clip(128 + 400 * mixture, 0, 255).astype(np.uint8)
    return cv2.resize(grey, (256, 216), interpolation=cv2.INTER_NEAREST)


def test_frames_are_compared_at_256_x_216_and_sought_at_20_x_16() -> None:
    assert thumbnail(np.zeros((500, 600), np.uint8)).shape == (216, 256)
    coarse = duplicates._coarse(shot(1))
    small = cv2.resize(shot(1), (20, 16), interpolation=cv2.INTER_AREA).ravel()
    assert np.corrcoef(coarse, small)[0, 1] == pytest.approx(1, abs=1e-5)


def test_texture_is_what_a_blur_takes_away_in_units_of_its_contrast() -> None:
    grey = shot(3).astype(float)
    fine = grey - gaussian_filter(grey, 3.0, mode="mirror")
    contrast = np.sqrt(gaussian_filter(fine**2, 6.0, mode="mirror"))
    expected = fine / (contrast + 4.0)
    np.testing.assert_allclose(duplicates._texture(shot(3)), expected, atol=0.02)


def test_a_correlation_leaves_out_ten_pixels_of_border() -> None:
    one = texture_of(1)
    other = mixed(one, 0.5, 2)
    inner = (slice(10, -10), slice(10, -10))
    expected = np.corrcoef(one[inner].ravel(), other[inner].ravel())[0, 1]
    assert duplicates._correlation(one, other) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("shift_px", "is_found"), [(7, True), (8, True), (9, False)])
def test_a_copy_may_be_shifted_by_eight_pixels(shift_px: int, is_found: bool) -> None:
    frames = [shot(seed) for seed in range(4)]
    frames.append(np.roll(frames[0], shift_px, axis=1))
    assert len(pairs(frames)) == is_found


@pytest.mark.parametrize(("shift_px", "is_found"), [(7, True), (9, False)])
def test_what_is_shifted_further_is_no_copy_though_it_is_compared(
    shift_px: int, is_found: bool
) -> None:
    frames = np.stack([shot(0), np.roll(shot(0), shift_px, axis=1)])
    textures = duplicates._Textures(frames, ["c", "c"])
    found = duplicates._copies_of(0, [1], textures, apart=["a", "b"], min_correlation=0.7)
    assert bool(found) == is_found


def common(one: np.ndarray, others: list[np.ndarray]) -> np.ndarray | None:
    """What textures have in common with one of them."""
    return duplicates._common([duplicates._peer(one, other) for other in others])


@pytest.mark.parametrize(("shift_px", "is_found"), [(30, True), (35, False)])
def test_what_is_common_is_sought_within_thirty_two_pixels(shift_px: int, is_found: bool) -> None:
    one = texture_of(1)
    peers = [np.roll(one, shift_px, axis=1)] * 8
    assert (common(one, peers) is not None) == is_found


def test_the_three_most_alike_of_each_frame_are_candidates() -> None:
    frames = [coarsely(0.05 * i) for i in range(7)]
    found = duplicates._candidates(np.stack(frames), [str(i) for i in range(7)])
    assert (0, 3) in found
    assert (0, 4) not in found


@pytest.mark.parametrize(("angle", "is_candidate"), [(0.28, True), (0.36, False)])
def test_candidates_correlate_at_0_95_at_the_coarse_size(angle: float, is_candidate: bool) -> None:
    frames = [coarsely(0.0), coarsely(angle)]
    assert bool(duplicates._candidates(np.stack(frames), ["a", "b"])) == is_candidate


@pytest.mark.parametrize(("n_frames", "is_known"), [(19, False), (20, True)])
def test_what_stands_still_is_known_from_twenty_frames_of_a_camera(
    n_frames: int, is_known: bool
) -> None:
    frames = np.stack([shot(1)] * n_frames)
    textures = duplicates._Textures(frames, ["c"] * n_frames)
    assert textures.still["c"].any() == is_known


def test_128_frames_of_a_camera_are_drawn() -> None:
    textures = duplicates._Textures(np.stack([shot(1)] * 130), ["c"] * 130)
    assert len(set(textures.drawn["c"])) == 128


@pytest.mark.parametrize(("n_peers", "is_known"), [(7, False), (8, True)])
def test_what_is_common_is_known_from_eight_peers(n_peers: int, is_known: bool) -> None:
    one = texture_of(1)
    assert (common(one, [one] * n_peers) is not None) == is_known


@pytest.mark.parametrize(("share", "is_common"), [(0.22, False), (0.29, True)])
def test_peers_have_something_in_common_from_a_correlation_of_a_quarter(
    share: float, is_common: bool
) -> None:
    one = texture_of(1)
    peers = [mixed(one, share, 10 + i) for i in range(8)]
    assert (common(one, peers) is not None) == is_common


@pytest.mark.parametrize(("n_alike", "is_common"), [(6, False), (7, True)])
def test_what_is_common_is_borne_by_two_in_five(n_alike: int, is_common: bool) -> None:
    one = texture_of(1)
    peers = [mixed(one, 0.9 if i < n_alike else 0.0, 10 + i) for i in range(16)]
    assert (common(one, peers) is not None) == is_common


def test_a_peer_counts_by_the_fourth_power_of_its_correlation() -> None:
    one = texture_of(1)
    peers = [mixed(one, 0.9 if i < 4 else 0.5, 10 + i) for i in range(8)]
    moved = [duplicates._moved(one, peer, 32) for peer in peers]
    weights = [duplicates._correlation(one, peer) ** 4 for peer in moved]
    expected = np.average(moved, axis=0, weights=weights)
    np.testing.assert_allclose(common(one, peers), expected, atol=1e-5)
