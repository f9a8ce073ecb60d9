"""What is known about data and labels, in words; and what the service's log counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from dashboard.times import to_the_minute
from inspection.runtime.verdict import VERDICTS
from inspection.runtime.verdict_log import DailyCount


def sentences(split: dict[str, Any], labels: dict[str, Any]) -> list[str]:
    """Label doubts, the price of leakage and shortcuts, as stages split and clean_labels found."""
    found = [_of_labels(labels)]
    leakage = split.get("leakage") or {}
    if leakage.get("price") is not None:
        found.append(_of_leakage(leakage))

    # a split without an audit says nothing of shortcuts
    if "shortcuts" in split:
        found.append(_of_shortcuts(split["shortcuts"], split["shortcut_classes"]))
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


def _of_shortcuts(scores: Mapping[str, float], classes: Mapping[str, str]) -> str:
    """What of a frame tells a class better than chance, by balanced accuracy."""
    if not classes:
        return (
            "No shortcut: camera, size, place and brightness of a frame tell no class from the "
            "others better than chance."
        )
    named = [
        f"{name} tells {defect} ({scores[name]:.2f})"
        for name, defect in sorted(classes.items())
    ]
    return (
        f"Shortcuts: {', '.join(named)}, where by chance it is 0.50. A model may read these "
        "instead of the defect."
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


def watched_sentence(found: Mapping[str, Any]) -> str:
    """What the watch found last, and when."""
    at = to_the_minute(found["at"])
    since = f" since {to_the_minute(found['since'])}" if found["since"] else ""
    alarms = found["alarms"]
    said = "nothing has drifted"
    if alarms:
        said = f"**{len(alarms)} alarms: something has changed**"
    return f"Looked at {found['n_parts']} parts{since} on {at}: {said}."


def rates(found: Mapping[str, Any]) -> pd.DataFrame:
    """Escapes and overkill as they run, by what people said of parts that the service judged."""
    columns = {
        "rate": "rate",
        "estimate": "estimate",
        "bound": "at most",
        "basis": "rests on",
    }
    table = pd.DataFrame(found["rates"], columns=list(columns))
    return table.rename(columns=columns)


def drift(found: Mapping[str, Any]) -> pd.DataFrame:
    """What has changed in what the service sees, an alarm a row."""
    table = pd.DataFrame(found["alarms"])
    for time in ("since", "noticed"):
        table[time] = table[time].map(to_the_minute)
    return table
