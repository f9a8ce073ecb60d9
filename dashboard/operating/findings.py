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
    found = [
        f"{labels['n_issues']} labels are doubted, {labels['n_held']} of {labels['n_views']} views "
        f"are held until somebody decides, {labels['n_reviewed']} were reviewed."
    ]
    leakage = split.get("leakage") or {}
    if leakage.get("price") is not None:
        found.append(
            f"A random split by image would claim a macro-F1 of {leakage['random_macro_f1']:.3f} "
            f"where parts kept together show {leakage['grouped_macro_f1']:.3f} (HOG on whole "
            f"frames): the price of leakage is {leakage['price']:.3f}."
        )

    # a split without an audit knows no chance, and then says nothing of shortcuts
    shortcuts = dict(split.get("shortcuts") or {})
    chance = shortcuts.pop("chance", None)
    if chance is not None:
        found.append(_of_shortcuts(shortcuts, chance))
    return found


def _of_shortcuts(scores: Mapping[str, float | None], chance: float) -> str:
    """What of a frame tells its class better than chance, by balanced accuracy."""
    names = []
    for name, score in sorted(scores.items()):
        if score is not None and score > chance + MIN_SHORTCUT:
            names.append(f"{name} ({score:.2f})")

    if not names:
        return (
            "No shortcut: camera, size, brightness and contrast of a frame tell its class no "
            f"better than chance ({chance:.2f})."
        )
    return (
        f"Shortcuts: the class can be told from {', '.join(names)} alone, chance {chance:.2f}. A "
        "model may read these instead of the defect."
    )


def running(found: Iterable[DailyCount]) -> pd.DataFrame:
    """Verdicts by day and release, as the service logged them; the latest day first."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        counts.setdefault((one.day, one.release), Counter())[one.verdict] += one.n
    rows = []
    for (day, release), by_verdict in sorted(counts.items(), reverse=True):
        row = {"day": day, "release": release, "parts": by_verdict.total()}
        rows.append(row | {verdict: by_verdict[verdict] for verdict in VERDICTS})
    return pd.DataFrame(rows, columns=["day", "release", "parts", *VERDICTS])
