"""What other costs and another limit on escapes would do, by scores of parts that were not learned.

The thresholds are chosen as stage assemble chooses them, so its own settings give its own card.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.evidence import Evidence, calibrations
from inspection.evaluation.cost_report import CostReport, cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import OperatingPoint, operating_point
from inspection.evaluation.rates import percent, rate, upper_bound
from inspection.line import Line
from inspection.runtime.bundle import Card, Settings
from inspection.runtime.detectors import CLASSIFIER, Thresholds
from inspection.runtime.verdict import VERDICTS, decide

# How far runtimes may be off, as no card says it: the default of assemble.parity_tolerance.
TOLERANCE = 1e-3
# Bins of the reliability table; with some sixty parts most of them are near 0 or 1 anyhow.
N_BINS = 5


@dataclass(frozen=True)
class Operation:
    """The thresholds at some costs, the verdicts that the parts get by them, and what they cost."""

    point: OperatingPoint
    verdicts: list[str]
    report: CostReport


def operation(
    evidence: Evidence, settings: Settings, costs: Costs, max_escape_rate: float | None
) -> Operation:
    """Choose the thresholds for these costs and judge the same parts by them."""
    normal = settings.line.normal
    labels = [evidence.labels[part_id] for part_id in evidence.parts]
    point = operating_point(
        evidence.parts,
        [label != normal for label in labels],
        calibrations(settings),
        costs,
        max_escape_rate,
        tolerance=TOLERANCE,
    )
    verdicts = decide(evidence.scores(settings), list(point.thresholds.values()))
    report = cost_report(verdicts, labels, normal, costs)
    return Operation(point, verdicts, report)


def costs_of(card: Card) -> Costs:
    """The costs that a card was assembled with."""
    return Costs(
        **{name: card.costs[name] for name in Costs.model_fields if name in card.costs}
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
    rows = []
    found = set(labels)
    for name in [*line.classes, *sorted(found - set(line.classes))]:
        of_class = [
            v for v, label in zip(verdicts, labels, strict=True) if label == name
        ]
        if not of_class:
            continue
        wrong = "reject" if name == line.normal else "pass"
        error = rate(of_class.count(wrong), len(of_class))
        counts = {verdict: of_class.count(verdict) for verdict in VERDICTS}
        rows.append(
            {
                "class": name,
                "parts": len(of_class),
                **counts,
                "error": f"{error.count} ({percent(error.value)})",
                "at most": percent(error.upper_bound),
            }
        )
    return pd.DataFrame(rows)


def threshold_table(now: dict[str, Thresholds], card: Card) -> pd.DataFrame:
    """The thresholds at these costs beside those on the card."""
    rows = [
        {
            "detector": name,
            "passes below": limits.accept_below,
            "on the card": card.detectors[name].thresholds.accept_below,
            "rejected above": limits.reject_above,
            "on the card ": card.detectors[name].thresholds.reject_above,
        }
        for name, limits in now.items()
    ]
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
    """The score of each part by each detector: columns detector, score, label."""
    scores = evidence.scores(settings)
    tables = [
        pd.DataFrame(
            {
                "detector": name,
                "score": scores[:, column],
                "label": [evidence.labels[part_id] for part_id in evidence.parts],
            }
        )
        for column, name in enumerate(settings.detectors)
    ]
    return pd.concat(tables, ignore_index=True).dropna()


def reliability(evidence: Evidence, settings: Settings) -> pd.DataFrame:
    """Whether the classifier's score means what it says: the share of defective parts by bin.

    Defective is what shows in the classifier's region. Columns: bin, n, mean score, share, and the
    one-sided 95 % bounds `low` and `high` of the share.
    """
    scores = score_rows(evidence, settings)
    own = scores[scores["detector"] == CLASSIFIER]
    region = settings.classifier.region
    line = settings.line
    seen = own["label"].map(lambda label: line.label_in(region, label))
    is_defective = (seen != line.normal).to_numpy()
    score: Any = own["score"].to_numpy()
    number = np.minimum((score * N_BINS).astype(int), N_BINS - 1)

    rows = []
    for one in np.unique(number):
        in_bin = number == one
        n, count = int(in_bin.sum()), int(is_defective[in_bin].sum())
        rows.append(
            {
                "bin": f"{one / N_BINS:.1f} to {(one + 1) / N_BINS:.1f}",
                "n": n,
                "mean score": float(score[in_bin].mean()),
                "share": count / n,
                "low": 1 - upper_bound(n - count, n),
                "high": upper_bound(count, n),
            }
        )
    return pd.DataFrame(rows)
