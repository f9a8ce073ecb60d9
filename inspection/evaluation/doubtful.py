"""Parts that a person should look at, by what decided: their labels may be wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.operating_point import OperatingPoint
from inspection.evaluation.part_scores import Parts
from inspection.evaluation.rates import percent, upper_bound
from inspection.evaluation.worst_views import ESCAPE, OVERKILL
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import FUSED
from inspection.runtime.verdict import scores_of

# Share of the good parts that have to pass besides, before a person is asked to look at three.
WORTH_A_LOOK = 0.05
# Suspects that are named: a person looks at so many in a few minutes. The review desk has all.
MAX_SUSPECTS = 24


@dataclass(frozen=True)
class Evidence:
    """What decides: parts judged by models that have not seen them, and their views' labels.

    `source` is `out_of_fold`, where every part but those of test was judged so, or `val`.
    """

    parts: Parts
    labels: Mapping[str, str]
    source: str

    def labels_of(self, part_id: str) -> list[str]:
        """The labels of a part's views, each once."""
        return sorted({self.labels[view.name] for view in self.parts[part_id]})


def hardest_parts(point: OperatingPoint, evidence: Evidence) -> dict[str, Any]:
    """The defective parts that keep most normal ones from passing, by name and label.

    `sentence` says what a look at them could gain, and is None where that is next to nothing.
    """
    part_ids = list(evidence.parts)
    named = [
        {
            "part_id": part_ids[one.row],
            "labels": evidence.labels_of(part_ids[one.row]),
            "score": one.score,
            "good_passed_without": one.good_passed,
        }
        for one in point.hardest
    ]
    gain = 0.0
    if point.hardest:
        gain = point.hardest[-1].good_passed - point.good_passed
    return {
        "parts": named,
        "good_passed": point.good_passed,
        "sentence": _sentence(named, point) if gain >= WORTH_A_LOOK else None,
    }


def _sentence(named: Sequence[Mapping[str, Any]], point: OperatingPoint) -> str:
    names = [f"{one['part_id']} ({', '.join(one['labels'])})" for one in named]
    return (
        f"look at {', '.join(names)}: of the defective parts they look most normal; without them "
        f"{percent(point.hardest[-1].good_passed)} of the good parts would pass, now "
        f"{percent(point.good_passed)}"
    )


def suspects(
    point: OperatingPoint, evidence: Evidence, settings: Settings
) -> list[dict[str, Any]]:
    """The parts that are judged against their label by what was decided without them.

    Escapes first, the least suspicious one before the others; then overkill, the most suspicious
    one before the others. `view` is the path of the view of the highest fused score.
    """
    rows = []
    for part_id, verdict in zip(evidence.parts, point.unseen_verdicts, strict=True):
        labels = evidence.labels_of(part_id)
        is_normal = labels == [settings.line.normal]
        if verdict != ("reject" if is_normal else "pass"):
            continue

        fused = {
            view.name: scores_of(view, settings).get(FUSED, -1.0)
            for view in evidence.parts[part_id]
        }
        view = max(fused, key=lambda name: fused[name])
        rows.append(
            {
                "part_id": part_id,
                "labels": labels,
                "kind": OVERKILL if is_normal else ESCAPE,
                "score": fused[view],
                "view": view,
            }
        )
    escapes = [row for row in rows if row["kind"] == ESCAPE]
    overkill = [row for row in rows if row["kind"] == OVERKILL]
    escapes.sort(key=lambda row: row["score"])
    overkill.sort(key=lambda row: -row["score"])
    return [*escapes, *overkill]


def claim_if_mended(
    limit: EscapeLimit, found: Sequence[Mapping[str, Any]]
) -> str | None:
    """What the parts would show if a person found the label of every suspect wrong.

    None where there is no suspect.
    """
    if not found:
        return None

    kinds = pd.Series([row["kind"] for row in found]).value_counts()
    n_escapes, n_overkill = int(kinds.get(ESCAPE, 0)), int(kinds.get(OVERKILL, 0))
    # what escaped would be a good part that passed, what was rejected a defective one
    n_defective = limit.n_defective - n_escapes + n_overkill
    return (
        f"judged without having been seen, {n_escapes} of {limit.n_defective} defective parts pass "
        f"and {n_overkill} good ones are rejected; if a person finds all their labels wrong, the "
        f"{n_defective} defective parts show at most {percent(upper_bound(0, n_defective))} escapes"
    )
