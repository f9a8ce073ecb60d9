import pandas as pd
import pytest

from inspection.dataset.checks import Failure, Report, check, raise_if_critical
from inspection.dataset.expectations import Expectation
from inspection.errors import InspectionError


def failure(severity: str, **facts: object) -> Failure:
    usual = {"name": "range", "column": "width_px", "n_rows": 0, "first": (), "observed": ""}
    return Failure(**(usual | {"severity": severity, "wanted": ""} | facts))  # type: ignore[arg-type]


def test_a_failure_names_what_was_found_and_what_should_be() -> None:
    of_rows = failure("critical", n_rows=7, first=("a.png", "b.png"), wanted="at least 64")
    assert str(of_rows) == (
        "range fails on width_px: 7 rows, first 'a.png', 'b.png', expected at least 64"
    )
    assert str(failure("critical", observed="0")) == "range fails on width_px: found 0"
    assert str(failure("critical")) == "range fails on width_px"


# the library's own
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_first_three_rows_of_a_failure_are_named_and_all_are_counted() -> None:
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(5)], "width_px": [32] * 5})
    wide = Expectation("ExpectColumnValuesToBeBetween", {"column": "width_px", "min_value": 64})
    (found,) = check(table, [wide]).failures

    assert found.n_rows == 5
    assert found.first == ("32, 0.png", "32, 1.png", "32, 2.png")


def test_only_a_critical_failure_stops() -> None:
    raise_if_critical(Report({}, (failure("warning"),), {}), where="data")
    both = Report({}, (failure("warning"), failure("critical", column="label")), {})
    with pytest.raises(
        InspectionError, match=r"^data: range fails on label; fix the data"
    ) as caught:
        raise_if_critical(both, where="data")
    assert len(str(caught.value).splitlines()) == 1
