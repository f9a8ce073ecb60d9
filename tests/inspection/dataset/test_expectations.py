import pytest
from pydantic import ValidationError

from inspection.dataset.expectations import (
    Expected,
    Failure,
    Report,
    of_manifest,
    raise_if_critical,
)
from inspection.errors import InspectionError
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "good",
        "classes": {"good": {}, "dent": {}},
        "regions": {"rod": {"size_px": [32, 32], "shows": ["dent"]}},
        "classify": "rod",
        "detect_anomalies": "rod",
    }
)


def failure(severity: str, **facts: object) -> Failure:
    usual = {"name": "range", "column": "width_px", "n_rows": 0, "first": (), "observed": ""}
    return Failure(**(usual | {"severity": severity, "wanted": ""} | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ({"width_px": (1, 65535)}, {"width_px": (0, 64)}),
        ({"height_px": (64, 64)}, {"height_px": (64, 65536)}),
        ({"height_px": (64, 65)}, {"height_px": (65, 64)}),
        ({"max_quarantined_fraction": 1.0}, {"max_quarantined_fraction": 1.01}),
        ({"max_quarantined_fraction": 0.0}, {"max_quarantined_fraction": -0.01}),
    ],
    ids=str,
)
def test_the_limits_of_what_may_be_expected(
    allowed: dict[str, object], refused: dict[str, object]
) -> None:
    Expected.model_validate(allowed)
    with pytest.raises(ValidationError):
        Expected.model_validate(refused)


def test_what_is_expected_where_nothing_is_given() -> None:
    usual = Expected()
    assert (usual.width_px, usual.height_px) == ((32, 16384), (32, 16384))
    assert usual.max_quarantined_fraction == 0.1


@pytest.mark.parametrize(
    ("fraction", "n_images", "n_kept"), [(0.1, 100, 90), (0.1, 101, 91), (1.0, 100, 1)]
)
def test_the_manifest_keeps_its_share_of_the_images(
    fraction: float, n_images: int, n_kept: int
) -> None:
    expected = Expected(max_quarantined_fraction=fraction)
    found = of_manifest(LINE, expected, columns=["path"], n_images=n_images)
    counts = [one.arguments for one in found if "RowCount" in one.name]
    assert counts == [{"min_value": n_kept}]


def test_bounds_and_names_of_the_line_become_expectations() -> None:
    found = of_manifest(LINE, Expected(width_px=(10, 20)), columns=["path"], n_images=1)
    by_column = {one.arguments.get("column"): one.arguments for one in found}
    assert (by_column["width_px"]["min_value"], by_column["width_px"]["max_value"]) == (10, 20)
    assert by_column["label"]["value_set"] == ["good", "dent"]
    assert by_column["channels"]["value_set"] == [1, 3]
    assert by_column["bit_depth"]["value_set"] == [8, 16]
    assert [one.severity for one in found].count("warning") == 1


def test_a_failure_names_what_was_found_and_what_should_be() -> None:
    of_rows = failure("critical", n_rows=7, first=("a.png", "b.png"), wanted="at least 64")
    assert str(of_rows) == (
        "range fails on width_px: 7 rows, first 'a.png', 'b.png', expected at least 64"
    )
    assert str(failure("critical", observed="0")) == "range fails on width_px: found 0"
    assert str(failure("critical")) == "range fails on width_px"


def test_only_a_critical_failure_stops() -> None:
    raise_if_critical(Report({}, (failure("warning"),), {}), where="data")
    both = Report({}, (failure("warning"), failure("critical", column="label")), {})
    with pytest.raises(
        InspectionError, match=r"^data: range fails on label; fix the data"
    ) as caught:
        raise_if_critical(both, where="data")
    assert len(str(caught.value).splitlines()) == 1
