import pytest
from pydantic import ValidationError

from inspection.evaluation.costs import Costs


@pytest.mark.parametrize("wrong", [{"escape_cost": 0}, {"defect_rate": 1}, {"escape": 5}])
def test_costs_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Costs(**wrong)
