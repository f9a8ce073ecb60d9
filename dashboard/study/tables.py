"""What `make study` has found, as tables and sentences, without the screen."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

# What is measured, as metrics/study.json calls it, and as the page does.
SHARES = {
    "edge": "on the edge",
    "elsewhere": "elsewhere",
    "energy": "on the defect",
}
MACRO_F1 = "macro-F1"

Interval = Mapping[str, float | None]


def class_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each recipe: macro-F1 by part, with its bound, and of how much heat was seen."""
    rows = []
    for name, one in found["recipes"].items():
        row = {
            "recipe": name,
            MACRO_F1: _number(one["macro_f1"]),
            "at least": _number(one["macro_f1_lower_bound"]),
            "of parts": one["n_parts"],
            "views with heat": one["n_views"],
            "parts with heat": one["n_parts_with_heat"],
        }
        rows.append(row)
    return pd.DataFrame(rows)


def share_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each recipe: where heat lies on the defects that it names, with intervals."""
    rows = []
    for name, one in found["recipes"].items():
        shares = {title: with_ends(one[share]) for share, title in SHARES.items()}
        rows.append({"recipe": name, **shares})
    return pd.DataFrame(rows)


def interval_rows(found: Mapping[str, Any], share: str) -> pd.DataFrame:
    """Of each recipe the `value` of a share of heat, 0..1, and the ends of its interval.

    The ends are missing where there were too few parts.
    """
    rows = [{"recipe": name, **one[share]} for name, one in found["recipes"].items()]
    numbers = {"value": float, "low": float, "high": float}
    return pd.DataFrame(rows).astype(numbers)


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What each further recipe changes against the first one, with what that shows, in words."""
    said = []
    for name, one in found["changes"].items():
        parts = [_clause(MACRO_F1, one["macro_f1"])]
        for share, title in SHARES.items():
            parts.append(_clause(f"heat {title}", one[share]))
        n_parts = one["n_parts_with_heat"]
        said.append(
            f"**{name}** instead of {found['first']}: {'; '.join(parts)}. "
            f"Heat of {n_parts} parts whose defect both name."
        )
    return said


def with_ends(one: Interval, sign: str = "") -> str:
    """A value with its interval, where there is one; `sign` "+" shows that of each number.

    >>> with_ends({"value": 0.1, "low": 0.05, "high": 0.2})
    '0.100 (0.050 to 0.200)'
    """
    value, low, high = one["value"], one["low"], one["high"]
    if value is None:
        return "-"
    if low is None or high is None:
        return _number(value, sign)
    return f"{_number(value, sign)} ({_number(low, sign)} to {_number(high, sign)})"


def _clause(title: str, change: Interval) -> str:
    return f"{title} {with_ends(change, '+')}, {_shown_by(change)}"


def _shown_by(change: Interval) -> str:
    """What a change with its interval shows."""
    low, high = change["low"], change["high"]
    if low is None or high is None:
        return "too few parts to tell"
    if low > 0:
        return "more"
    return "less" if high < 0 else "no difference shown"


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}"
