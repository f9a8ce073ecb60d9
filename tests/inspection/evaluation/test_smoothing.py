import numpy as np
import pytest

from inspection.evaluation.smoothing import SmoothedScores, bandwidths
from inspection.runtime.detectors import Thresholds


def test_bandwidths_follow_silverman_and_one_part_spreads_as_the_others_do() -> None:
    generator = np.random.default_rng(0)
    normal, defective = generator.normal(0, 1, 5000), generator.normal(0, 3, 32)
    widths = bandwidths(normal, defective)
    assert widths[0] == pytest.approx(0.9 * 5000**-0.2, rel=0.05)
    assert widths[1] == pytest.approx(0.9 * 3 * 0.5, rel=0.25)
    alone = bandwidths(normal, defective[:1])
    assert alone[1] == pytest.approx(0.9, rel=0.05)
    assert min(bandwidths(np.array([]), np.array([2.0, 2.0]))) > 0
    assert max(bandwidths(np.full(6, -10.0), np.full(6, 10.0))) < 2
    # the rounding of a mean is no spread: 0.1 six times has a deviation of 1e-17
    constant = bandwidths(np.full(6, 0.1), np.full(6, 20.1))
    assert min(constant) == pytest.approx(0.9 * 2 * 6**-0.2)
    assert bandwidths(normal, defective, margin=9.0) == (9.0, 9.0)


def test_the_chances_at_a_cut_are_those_at_a_threshold_of_that_value() -> None:
    scores = np.array([0.0, 0.5, 1.0, np.nan, 3.0, 4.0])
    smoothed = SmoothedScores.of(scores, np.arange(6) >= 3)
    low, high = 20, 30
    thresholds = Thresholds(accept_below=smoothed.cuts[low], reject_above=smoothed.cuts[high])
    passed, kept = smoothed.chances(thresholds)
    assert passed.tolist() == smoothed.passes[low].tolist()
    assert kept.tolist() == smoothed.kept[high].tolist()
    assert (passed[3], kept[3]) == (0.0, 1.0)


def test_a_verdict_rests_on_parts_within_two_bandwidths() -> None:
    scores = np.array([0.0, 1.0, 2.0, 40.0, 41.0, 42.0])
    smoothed = SmoothedScores.of(scores, np.arange(6) >= 3)
    everything = (len(smoothed.cuts) - 1, 0)
    thresholds = smoothed.within_reach(everything)
    assert thresholds.accept_below == pytest.approx(2 + 2 * smoothed.bandwidths[0])
    middle = int(np.searchsorted(smoothed.cuts, 20.0))
    thresholds = smoothed.within_reach((middle, middle))
    assert thresholds.reject_above == pytest.approx(40 - 2 * smoothed.bandwidths[1])


def test_cuts_lie_half_a_bandwidth_apart_up_to_four_on_each_side_of_a_score() -> None:
    smoothed = SmoothedScores.of(np.array([0.0, 1.0, 1000.0]), np.array([False, False, True]))
    width = smoothed.bandwidths[1]
    around = smoothed.cuts[np.abs(smoothed.cuts - 1000.0) < 10 * width]
    np.testing.assert_allclose((around - 1000.0) / width, np.arange(-4, 4.5, 0.5), atol=1e-9)


def test_two_hundred_cuts_at_most_are_tried_between_the_ends() -> None:
    scores = np.random.default_rng(0).normal(0, 1, 500)
    smoothed = SmoothedScores.of(scores, scores > 1)
    assert len(smoothed.cuts) == 200 + 2
    assert np.isinf(smoothed.cuts[[0, -1]]).all()


def test_one_far_score_does_not_widen_the_kernel_of_the_others() -> None:
    """The spread is that of the quartiles, which for normal scores lie 1.34 deviations apart."""
    scores = np.array([0.0, 1.0, 2.0, 3.0, 1000.0])
    width, _ = bandwidths(scores, np.array([]))
    assert width == pytest.approx(0.9 * (3.0 - 1.0) / 1.34 * 5**-0.2)
