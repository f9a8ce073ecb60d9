from typing import Any

import pytest

from dashboard.study.tables import (
    class_table,
    interval_rows,
    sentences,
    share_table,
    with_ends,
)


def interval(value: float | None, half: float | None = None) -> dict[str, float | None]:
    """A value, and an interval of this half width around it."""
    if value is None or half is None:
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": value - half, "high": value + half}


def study() -> dict[str, Any]:
    """What metrics/study.json holds of two recipes."""
    one = {
        "macro_f1": 0.9, "macro_f1_lower_bound": 0.8, "n_parts": 40, "n_views": 60,
        "n_parts_with_heat": 20, "pointing": 1.0, "pointing_lower_bound": 0.86,
        "energy": interval(0.7, 0.05), "elsewhere": interval(0.2, 0.02),
    }  # fmt: skip
    changes = {
        "macro_f1": interval(0.01, 0.04), "energy": interval(0.06, 0.02), "n_parts_with_heat": 19,
        "edge": interval(-0.06, 0.02), "elsewhere": interval(0.0),
    }  # fmt: skip
    return {
        "design": "d",
        "beside": "test-1",
        "first": "basic",
        "recipes": {
            "basic": one | {"edge": interval(0.1, 0.03)},
            "noise_centre": one | {"edge": interval(0.04)},
        },
        "changes": {"noise_centre": changes},
    }


def test_each_recipe_has_a_row_with_its_bounds() -> None:
    shares = share_table(study()).set_index("recipe")
    assert shares.loc["basic", "on the edge"] == "0.100 (0.070 to 0.130)"
    assert shares.loc["noise_centre", "on the edge"] == "0.040"
    table = class_table(study()).set_index("recipe")
    assert list(table.loc["basic", ["macro-F1", "at least", "of parts"]]) == ["0.900", "0.800", 40]


def test_a_change_is_said_with_what_it_shows() -> None:
    (said,) = sentences(study())
    assert said.startswith("**noise_centre** instead of basic: macro-F1 +0.010 (-0.030 to +0.050)")
    assert "macro-F1 +0.010 (-0.030 to +0.050), no difference shown" in said
    assert "heat on the edge -0.060 (-0.080 to -0.040), less" in said
    assert "heat on the defect +0.060 (+0.040 to +0.080), more" in said
    assert "heat elsewhere +0.000, too few parts to tell" in said
    assert said.endswith("Heat of 19 parts whose defect both name.")


def test_the_chart_has_ends_where_there_were_parts_enough() -> None:
    rows = interval_rows(study(), "edge").set_index("recipe")
    assert rows.loc["basic", ["low", "high"]].tolist() == pytest.approx([0.07, 0.13])
    assert rows.loc["noise_centre"].isna().tolist() == [False, True, True]


def test_what_was_not_measured_is_a_dash() -> None:
    assert with_ends(interval(None)) == "-"
