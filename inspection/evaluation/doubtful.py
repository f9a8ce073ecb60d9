"""Parts that a person should look at, by what decided: their labels may be wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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


@dataclass(frozen=True)
class Suspect:
    """A part that is judged against its label by what was decided without it.

    `kind` is `escape` or `overkill`, `score` the fused one of `view`, the path of its worst view.
    """

    part_id: str
    labels: list[str]
    kind: str
    score: float
    view: str


def suspects(
    point: OperatingPoint, evidence: Evidence, settings: Settings
) -> list[Suspect]:
    """The parts that are judged against their label: escapes, the least suspicious one first,
    then overkill, the most suspicious one first."""
    escapes: list[Suspect] = []
    overkill: list[Suspect] = []
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
        kind = OVERKILL if is_normal else ESCAPE
        suspect = Suspect(part_id, labels, kind, fused[view], view)
        (overkill if is_normal else escapes).append(suspect)
    return [
        *sorted(escapes, key=lambda one: one.score),
        *sorted(overkill, key=lambda one: -one.score),
    ]


def named(found: Sequence[Suspect]) -> list[dict[str, Any]]:
    """The first MAX_SUSPECTS, for card and report."""
    return [asdict(one) for one in found[:MAX_SUSPECTS]]


def claim_if_mended(limit: EscapeLimit, found: Sequence[Suspect]) -> str | None:
    """What the parts would show if a person found the label of every suspect wrong.

    None where there is no suspect.
    """
    if not found:
        return None

    kinds = [one.kind for one in found]
    n_escapes, n_overkill = kinds.count(ESCAPE), kinds.count(OVERKILL)
    # what escaped would be a good part that passed, what was rejected a defective one
    n_defective = limit.n_defective - n_escapes + n_overkill
    return (
        f"judged without having been seen, {n_escapes} of {limit.n_defective} defective parts pass "
        f"and {n_overkill} good ones are rejected; if a person finds all their labels wrong, the "
        f"{n_defective} defective parts show at most {percent(upper_bound(0, n_defective))} escapes"
    )
