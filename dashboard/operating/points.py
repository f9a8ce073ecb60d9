"""What other costs and another limit on escapes would do, by scores of parts that were not learned.

The thresholds are chosen as stage assemble chooses them, so its own settings give its own card, but
for the hair by which thresholds keep off the scores that assemble has measured on val besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.evidence import Evidence, calibrations
from dashboard.explorer.views import within
from inspection.evaluation.calibration import EVEN, Truth
from inspection.evaluation.cost_report import CostReport, cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import OperatingPoint, operating_point
from inspection.evaluation.rates import percent, rate, upper_bound
from inspection.line import Line
from inspection.runtime.bundle import Card, Settings
from inspection.runtime.detectors import FUSED, score_names
from inspection.runtime.verdict import VERDICTS

# How far runtimes may be off, as no card says it: the default of assemble.parity_tolerance.
TOLERANCE = 1e-3
# Bins of the reliability table; with some sixty parts most of them are near 0 or 1 anyhow.
N_BINS = 5


@dataclass(frozen=True)
class Operation:
    """The operating point at some costs, the settings with it, the verdicts that the parts get by
    them, and what they cost."""

    point: OperatingPoint
    settings: Settings
    verdicts: list[str]
    report: CostReport


def operation(
    evidence: Evidence, settings: Settings, costs: Costs, max_escape_rate: float | None
) -> Operation:
    """Choose the thresholds for these costs and judge the same parts by them."""
    labels = [evidence.labels[part_id] for part_id in evidence.parts]
    truth = Truth.of([{label} for label in labels], settings.models)
    point = operating_point(
        evidence.parts,
        truth,
        calibrations(settings),
        costs,
        max_escape_rate,
        tolerance=TOLERANCE,
    )

    chosen = with_point(settings, point)
    verdicts = evidence.verdicts(chosen)
    report = cost_report(verdicts, labels, settings.line.normal, costs)
    return Operation(point, chosen, verdicts, report)


def with_point(settings: Settings, point: OperatingPoint) -> Settings:
    """The settings as they would be with this operating point."""
    detectors = {}
    for name, one in settings.detectors.items():
        changed = {"thresholds": point.thresholds.get(name)}
        detectors[name] = one.model_copy(update=changed)
    return Settings(
        line=settings.line,
        locator=settings.locator,
        detectors=detectors,
        fusion=point.fusion,
    )


def limit_of(card: Card) -> float | None:
    """The limit on escapes that a card was assembled with; None where there was none."""
    asked = card.metrics.get("limit", {}).get("asked")
    return None if asked is None else float(asked)


def by_class(
    labels: Sequence[str], verdicts: Sequence[str], line: Line
) -> pd.DataFrame:
    """Verdicts per class, with the error rate and its one-sided 95 % bound.

    The error of a defect is an escape, that of the normal class overkill.
    """
    by_label: dict[str, list[str]] = {}
    for verdict, label in zip(verdicts, labels, strict=True):
        of_label = by_label.setdefault(label, [])
        of_label.append(verdict)

    rows = []
    unknown = set(labels).difference(line.classes)
    for name in [*line.classes, *sorted(unknown)]:
        of_class = by_label.get(name)
        if not of_class:
            continue

        counts = {verdict: of_class.count(verdict) for verdict in VERDICTS}
        wrong = "reject" if name == line.normal else "pass"
        error = rate(counts[wrong], len(of_class))
        row = {
            "class": name,
            "parts": len(of_class),
            **counts,
            "error": f"{error.count} ({percent(error.value)})",
            "at most": percent(error.upper_bound),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def threshold_table(now: Settings, card: Card) -> pd.DataFrame:
    """The thresholds at these costs beside those on the card."""
    rows = []
    for name, limits in now.thresholds.items():
        on_card = card.thresholds.get(name)
        if on_card is None:
            continue

        row = {
            "score of": name,
            "passes below": within(limits.accept_below),
            "on the card": within(on_card.accept_below),
            "rejected above": within(limits.reject_above),
            # with a blank, as two columns of one name are one
            "on the card ": within(on_card.reject_above),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def cost_table(report: CostReport) -> pd.DataFrame:
    """What a part costs by this line, and without one; in good parts thrown away."""
    line = report.line
    rows = [("this line", line.value, f"{line.low:.3f} to {line.high:.3f}")]
    rows += [
        ("review all", report.review_all, ""),
        ("pass all", report.pass_all, ""),
        ("reject all", report.reject_all, ""),
    ]
    return pd.DataFrame(
        rows, columns=["way", "cost a part", "each end with 95 % confidence"]
    )


def score_rows(evidence: Evidence, settings: Settings) -> pd.DataFrame:
    """The fused score of each part, and that of each detector: columns by, score, label."""
    scores = evidence.scores(settings)
    labels = [evidence.labels[part_id] for part_id in evidence.parts]
    tables = []
    for column, name in enumerate(score_names(settings.line)):
        rows = {"by": name, "score": scores[:, column], "label": labels}
        tables.append(pd.DataFrame(rows))
    # a part has no score of a detector whose region was not found in it
    return pd.concat(tables, ignore_index=True).dropna()


def at_rate(probability: Any, rate: float, other: float) -> Any:
    """Probabilities of a defect where a `rate` of the parts is defective, where `other` is."""
    if not 0 < other < 1:
        return probability

    odds_of_rate = rate / (1 - rate)
    odds_of_other = other / (1 - other)
    odds = probability / (1 - probability)
    odds = odds * odds_of_other / odds_of_rate
    return odds / (1 + odds)


def reliability(scores: pd.DataFrame, normal: str) -> pd.DataFrame:
    """Whether the fused score means what it says: the share of defective parts by bin.

    `scores` are the rows of `score_rows`; a part is defective whose label is not `normal`.
    The score holds where half of the parts are defective; it is taken to their true share first.
    Columns: bin, n, mean score, share, and the one-sided 95 % bounds `low` and `high` of the share.
    """
    own = scores[scores["by"] == FUSED]
    is_defective = (own["label"] != normal).to_numpy()
    true_share = float(is_defective.mean())
    score = at_rate(own["score"].to_numpy(), EVEN, true_share)
    # a score of 1 belongs to the last bin, not to one of its own
    number = np.minimum((score * N_BINS).astype(int), N_BINS - 1)

    rows = []
    for one in np.unique(number):
        in_bin = number == one
        n = int(in_bin.sum())
        count = int(is_defective[in_bin].sum())
        start, end = one / N_BINS, (one + 1) / N_BINS
        row = {
            "bin": f"{start:.1f} to {end:.1f}",
            "n": n,
            "mean score": float(score[in_bin].mean()),
            "share": count / n,
            "low": 1 - upper_bound(n - count, n),
            "high": upper_bound(count, n),
        }
        rows.append(row)
    return pd.DataFrame(rows)
