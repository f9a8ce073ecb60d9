import pytest
from pydantic import ValidationError

from inspection.dataset.expectations import Expected, of_manifest
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
