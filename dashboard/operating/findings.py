"""What is known about data and labels, in words; and what the service's log counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from inspection.runtime.verdict import VERDICTS
from inspection.runtime.verdict_log import DailyCount

# A shortcut is named where one number of the frame tells the class this much better than chance:
# below, it lies within what some hundred parts scatter by.
MIN_SHORTCUT = 0.05


def sentences(split: dict[str, Any], labels: dict[str, Any]) -> list[str]:
    """Label doubts, the price of leakage and shortcuts, as stages split and clean_labels found."""
    found = [_of_labels(labels)]
    leakage = split.get("leakage") or {}
    if leakage.get("price") is not None:
        found.append(_of_leakage(leakage))

    # a split without an audit knows no chance, and then says nothing of shortcuts
    shortcuts = dict(split.get("shortcuts") or {})
    chance = shortcuts.pop("chance", None)
    if chance is not None:
        found.append(_of_shortcuts(shortcuts, chance))
    return found


def _of_labels(labels: Mapping[str, Any]) -> str:
    """How many labels are in doubt, and how many were looked at."""
    n_issues, n_reviewed = labels["n_issues"], labels["n_reviewed"]
    n_held, n_views = labels["n_held"], labels["n_views"]
    return (
        f"{n_issues} labels are doubted, {n_held} of {n_views} views "
        f"are held until somebody decides, {n_reviewed} were reviewed."
    )


def _of_leakage(leakage: Mapping[str, Any]) -> str:
    """What a split that tears parts apart would claim too much."""
    random = leakage["random_macro_f1"]
    grouped = leakage["grouped_macro_f1"]
    price = leakage["price"]
    return (
        f"A random split by image would claim a macro-F1 of {random:.3f} "
        f"where parts kept together show {grouped:.3f} (HOG on whole "
        f"frames): the price of leakage is {price:.3f}."
    )


def _of_shortcuts(scores: Mapping[str, float | None], chance: float) -> str:
    """What of a frame tells its class better than chance, by balanced accuracy."""
    beyond_chance = chance + MIN_SHORTCUT
    found = []
    for name, score in sorted(scores.items()):
        if score is not None and score > beyond_chance:
            found.append(f"{name} ({score:.2f})")

    if not found:
        return (
            "No shortcut: camera, size, brightness and contrast of a frame tell its class no "
            f"better than chance ({chance:.2f})."
        )
    names = ", ".join(found)
    return (
        f"Shortcuts: the class can be told from {names} alone, chance {chance:.2f}. A "
        "model may read these instead of the defect."
    )


def running(found: Iterable[DailyCount]) -> pd.DataFrame:
    """Verdicts by day and release, as the service logged them; the latest day first."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        of_day = counts.setdefault((one.day, one.release), Counter())
        of_day[one.verdict] += one.n

    rows = []
    for day, release in sorted(counts, reverse=True):
        of_day = counts[day, release]
        row = {"day": day, "release": release, "parts": of_day.total()}
        for verdict in VERDICTS:
            row[verdict] = of_day[verdict]
        rows.append(row)
    return pd.DataFrame(rows, columns=["day", "release", "parts", *VERDICTS])
