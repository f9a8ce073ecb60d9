import numpy as np

from inspection.runtime.detectors import Thresholds
from inspection.runtime.verdict import decide, worst

PASS, REVIEW, REJECT = "pass", "review", "reject"
NAN = float("nan")


def test_a_score_on_or_between_the_thresholds_goes_to_review() -> None:
    limits = Thresholds(accept_below=1.0, reject_above=2.0)
    verdicts = [limits.verdict(score) for score in (0.9, 1.0, 1.5, 2.0, 2.1)]
    assert verdicts == [PASS, REVIEW, REVIEW, REVIEW, REJECT]


def test_a_score_that_is_not_a_number_goes_to_review() -> None:
    assert Thresholds(accept_below=1.0, reject_above=2.0).verdict(float("nan")) == REVIEW


def test_the_worst_verdict_is_the_most_severe_one() -> None:
    assert worst([PASS, REVIEW]) == REVIEW
    assert worst([REVIEW, REJECT, PASS]) == REJECT


def test_a_part_gets_the_worst_verdict_of_its_detectors_and_review_where_a_score_is_missing() -> (
    None
):
    limits = [Thresholds(accept_below=1.0, reject_above=2.0)] * 2
    scores = np.array([[0.0, 0.0], [0.0, 1.5], [3.0, 1.5], [0.0, NAN], [3.0, NAN]])
    assert decide(scores, limits) == [PASS, REVIEW, REJECT, REVIEW, REJECT]
