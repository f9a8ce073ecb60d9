import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.evaluation.parity import Parity, compare, require_parity

SAME = Parity(n=4, score_difference=1e-6, heat_difference=1e-6, flipped=0)


def test_the_largest_difference_and_the_flipped_verdicts_are_counted() -> None:
    heat = np.zeros((3, 2, 2))
    other = heat.copy()
    other[1, 0, 1] = 0.25
    found = compare(
        scores=([1.0, 2.0, 3.0], [1.0, 2.5, 2.9]),
        heat=(heat, other),
        verdicts=(["pass"] * 3, ["pass", "reject", "review"]),
        moved=1,
    )
    assert found == Parity(n=3, score_difference=0.5, heat_difference=0.25, flipped=2, moved=1)
    assert found.as_json()["flipped"] == 2


def test_nothing_compared_differs_in_nothing() -> None:
    assert compare(scores=([], []), heat=([], []), verdicts=([], [])) == Parity(0, 0.0, 0.0, 0)


def test_runs_that_agree_may_be_deployed() -> None:
    require_parity({"classifier": SAME, "anomaly": SAME}, tolerance=1e-3)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Parity(4, 0.0, 0.0, 1), "1 of 4 images get another verdict"),
        (Parity(4, 0.0, 0.0, 0, 3), "3 of 4 images are boxed elsewhere"),
        (Parity(4, 0.01, 0.0, 0), "score off by 1.00e-02"),
        (Parity(4, 0.0, 0.02, 0), "heat by 2.00e-02, allowed is 1e-03; do not deploy"),
    ],
    ids=["flipped", "moved", "score", "heat"],
)
def test_a_model_that_judges_otherwise_is_not_deployed(report: Parity, said: str) -> None:
    with pytest.raises(InspectionError) as caught:
        require_parity({"classifier": SAME, "anomaly": report}, tolerance=1e-3)
    assert str(caught.value).startswith("parity of anomaly: ")
    assert said in str(caught.value)


def test_all_that_differs_is_named_at_once() -> None:
    wrong = Parity(4, 0.5, 0.0, 2)
    with pytest.raises(InspectionError) as caught:
        require_parity({"classifier": wrong, "anomaly": wrong}, tolerance=1e-3)
    assert len(str(caught.value).splitlines()) == 4


def test_a_score_that_is_not_a_number_is_no_parity() -> None:
    report = compare(
        scores=([float("nan")], [1.0]), heat=([0.0], [0.0]), verdicts=(["pass"], ["pass"])
    )
    with pytest.raises(InspectionError, match="score off by nan"):
        require_parity({"anomaly": report}, tolerance=1e-3)


def test_a_difference_is_reported_to_nine_decimals() -> None:
    report = Parity(n=1, score_difference=0.12345678912, heat_difference=0.0, flipped=0)
    assert report.as_json()["score_difference"] == 0.123456789
