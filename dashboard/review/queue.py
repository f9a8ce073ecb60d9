"""What waits for a person: suspects, conflicts, errors on unseen parts, doubts of the service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard.evidence import Evidence
from dashboard.review.boxes import settled_boxes
from dashboard.review.decisions import BOXES, LABEL, Vote, about
from dashboard.review.labels import settled_label
from dashboard.times import to_the_minute
from inspection.boxes import parse_boxes
from inspection.curation.label_issues import ONLY_NEAR_DUPLICATES
from inspection.curation.reviews import EXCLUDED
from inspection.line import Line
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import FUSED
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import Feedback, LoggedPart, LoggedView

# A label that something else is likelier than.
SUSPECT = "suspect"
# A defective part that keeps normal ones from passing.
HARDEST = "hardest"
# What the service judged, and nobody has said anything of.
SERVICE_REVIEW = "service_review"
# A normal that an anomaly model fitted without it takes for less normal than nearly all others.
LEAST_NORMAL = "least_normal"
# Kinds in the order of what an answer moves: what reviewers disagree on waits for a third person
# alone, and may be in no other list any more (a label that is settled takes its view off the
# suspects, and its boxes may be disputed); what holds a threshold moves it furthest, and an error
# on an unseen part moves it; a view in conflict is held and returns to training; a suspect is one
# label among many; what the service saw enters with the next lot of feedback. Of the last two kinds
# some are there however right the labels are: a share of the normals lies beyond the limit of any
# anomaly model, and of rigid parts a near-duplicate of another label is ordinary.
KINDS = {
    "disagreement": "Reviewers disagree",
    HARDEST: "Holds the threshold",
    "escape": "Escapes",
    "overkill": "Overkill",
    "box_conflict": "Box against label",
    "duplicate_conflict": "Copies disagree",
    "near_duplicate_conflict": "Near-duplicates disagree",
    "part_disagreement": "Views of a part disagree",
    SUSPECT: "Looks like another class",
    "feedback": "Feedback against the verdict",
    SERVICE_REVIEW: "Sent to review by the service",
    LEAST_NORMAL: "Least normal of the normals",
    ONLY_NEAR_DUPLICATES: "Only near-duplicates disagree",
    "link": "Opened by a link",
}
STATES = ("open", "disputed", "settled")
# How likely a label is wrong of which nothing but a contradiction is known: as likely as not.
NOT_SCORED = 0.5


@dataclass(frozen=True)
class Item:
    """A view to decide about, and why. `score` 0..1 is how likely its label is wrong.

    `beyond` says how far the fused score of its part lies on the wrong side of the threshold that
    its label should not cross, where that is what is asked about: less than 0 on the right side.
    Of LEAST_NORMAL it says by how many standard deviations the anomaly score does.
    `suggested` is the class that speaks against the label, '' without one. `request_id` names the
    service's verdict where the picture is not in the data; its answer becomes feedback.
    """

    image_sha256: str
    path: Path
    part_id: str
    label: str
    kind: str
    reason: str
    score: float
    suggested: str = ""
    boxes: str = "[]"
    held: bool = False
    request_id: str = ""
    beyond: float | None = None


def read_issues(file: Path) -> pd.DataFrame:
    """The table of suspects that stage clean_labels has written."""
    return pd.read_csv(
        file,
        # a number of a part keeps its zeros in front
        dtype={"view_id": str, "part_id": str},
        keep_default_na=False,
    )


def from_issues(issues: pd.DataFrame, manifest: pd.DataFrame, data: Path) -> list[Item]:
    """The label suspects of stage clean_labels; the first rule in the reason is the kind."""
    rows = {row.view_id: row for row in manifest.itertuples()}
    found = []
    for issue in issues.to_dict("records"):
        row = rows.get(issue["view_id"])
        if row is None:
            continue

        reason = str(issue["reason"])
        rule, _, _ = reason.partition(":")
        item = item_of(
            row,
            data,
            kind=rule if rule in KINDS else SUSPECT,
            reason=reason,
            score=float(issue["score"]),
        )
        found.append(replace(item, suggested=str(issue["suggested"])))
    return found


def from_errors(
    evidence: Evidence, settings: Settings, manifest: pd.DataFrame, data: Path
) -> list[Item]:
    """Escapes and overkill among parts that the models have not seen: the view that decides."""
    rows = {row.path: row for row in manifest.itertuples()}
    normal = settings.line.normal
    found = []
    verdicts = evidence.verdicts(settings)
    fused = evidence.fused_scores(settings)
    for part_id, verdict in zip(evidence.parts, verdicts, strict=True):
        label = evidence.labels[part_id]
        kind = _error(label, verdict, normal)
        if not kind:
            continue
        path = evidence.deciding_view(part_id, settings)
        if path not in rows:
            continue

        what = "passed" if kind == "escape" else "rejected"
        item = item_of(
            rows[path],
            data,
            kind=kind,
            reason=f"{kind} {evidence.where}: part {part_id}, labelled {label}, is {what}",
            score=NOT_SCORED,
        )
        crossed = beyond(kind, fused[part_id], settings)
        found.append(replace(item, beyond=crossed))
    return found


def beyond(kind: str, fused: float, settings: Settings) -> float:
    """How far a fused score lies past the threshold that is in question, 0..1.

    Of a good part that is the one above which it is rejected, of a defective part the one below
    which it passes.
    """
    limits = settings.thresholds[FUSED]
    if kind == "overkill":
        return fused - limits.reject_above
    return limits.accept_below - fused


def from_votes(
    votes: Mapping[str, Sequence[Vote]], manifest: pd.DataFrame, data: Path
) -> list[Item]:
    """The views of which reviewers disagree about the label or the boxes; votes by image."""
    asked = [sha256 for sha256, some in votes.items() if state(some) == "disputed"]
    is_disputed = manifest["image_sha256"].isin(asked)
    found = []
    for row in manifest[is_disputed].itertuples():
        of_image = votes[str(row.image_sha256)]
        item = item_of(
            row,
            data,
            kind="disagreement",
            reason=_disagreement(of_image),
            score=NOT_SCORED,
        )
        found.append(item)
    return found


def disputed(items: Sequence[Item], votes: Mapping[str, Sequence[Vote]]) -> list[Item]:
    """Of these, as what reviewers disagree about, those on whose label they do; votes by image."""
    found = []
    for item in items:
        of_image = votes.get(item.image_sha256, ())
        if state(of_image) == "disputed":
            reason = _disagreement(of_image)
            found.append(replace(item, kind="disagreement", reason=reason))
    return found


def from_link(image_sha256: str, manifest: pd.DataFrame, data: Path) -> list[Item]:
    """The view of this hash, which nobody doubts but the one who opened it; none if unknown."""
    rows = manifest[manifest["image_sha256"] == image_sha256]
    return [
        item_of(row, data, kind="link", reason="opened by a link", score=0.0)
        for row in rows.head(1).itertuples()
    ]


def from_log(
    parts: Iterable[LoggedPart],
    feedback: Sequence[Feedback],
    line: Line,
    known: Mapping[str, str],
    verdicts: Path,
) -> list[Item]:
    """Parts that the service sent to review, and those of which people said otherwise.

    Only pictures that were kept and are not in the data (`known`, by hash): the view that decided.
    """
    said = _last_words(feedback)
    found = []
    for part in parts:
        # the word about this very verdict, before that about the part, which may be judged again
        words = said.get(_of_request(part.request_id))
        words = words or said.get(_of_part(part.part_id))
        kind, reason = _doubt(part, words, line.normal)
        view = _deciding_view(part)
        if not kind or view is None or part.line != line.name or view.sha256 in known:
            continue

        path = picture_path(verdicts, view.sha256)
        if not path.is_file():
            continue

        item = Item(
            image_sha256=view.sha256,
            path=path,
            part_id=part.part_id or part.request_id,
            label=words.label if words else part.label,
            kind=kind,
            reason=reason,
            score=NOT_SCORED,
            request_id=part.request_id,
        )
        found.append(item)
    return found


def _last_words(feedback: Sequence[Feedback]) -> dict[str, Feedback]:
    """What was said last about a verdict or a part, by `_of_request` or `_of_part`."""
    said = {}
    for one in feedback:
        key = _of_request(one.request_id) if one.request_id else _of_part(one.part_id)
        said[key] = one
    return said


def _of_request(request_id: str | None) -> str:
    return f"request {request_id}"


def _of_part(part_id: str | None) -> str:
    return f"part {part_id}"


def _deciding_view(part: LoggedPart) -> LoggedView | None:
    """The view by which a part was judged; None where it is not among those that were logged."""
    for view in part.views:
        if view.name == part.worst_view:
            return view
    return None


def merged(items: Iterable[Item]) -> list[Item]:
    """One item per image: of the kind that moves most, with all its reasons; in that order.

    Of one kind the part comes first whose score lies furthest beyond its threshold: if its label is
    wrong, the threshold has most room without it. Where no threshold is in question, the most
    suspicious label comes first.
    """
    order = list(KINDS)

    def rank(one: Item) -> tuple[int, float]:
        first = one.score if one.beyond is None else one.beyond
        return order.index(one.kind), -first

    by_image: dict[str, Item] = {}
    for item in sorted(items, key=rank):
        first = by_image.setdefault(item.image_sha256, item)
        is_said = item.reason in first.reason
        if first is item or is_said:
            continue

        by_image[item.image_sha256] = replace(
            first,
            reason=f"{first.reason}; {item.reason}",
            suggested=first.suggested or item.suggested,
            score=max(first.score, item.score),
        )
    return list(by_image.values())


def state(votes: Sequence[Vote]) -> str:
    """What the votes on one image come to: open, disputed (another person is asked), settled.

    The label settles a view; boxes that a person drew only have to be agreed on.
    """
    if _disputed(votes):
        return "disputed"
    return "settled" if about(votes, LABEL) else "open"


def waits_for(reviewer: str, votes: Sequence[Vote]) -> bool:
    """Whether this reviewer should decide: something is not settled, and they have not spoken."""
    asked = _disputed(votes)
    if not about(votes, LABEL):
        asked.append(LABEL)

    return any(not _has_spoken(reviewer, about(votes, what)) for what in asked)


def spoken(votes: Sequence[Vote]) -> str:
    """Who said what, in words."""
    words = []
    for vote in votes:
        answer = _answer(vote)
        note = f" ({vote.note})" if vote.note else ""
        words.append(f"{vote.reviewer}: {answer}{note}")
    return ", ".join(words)


def _disputed(votes: Sequence[Vote]) -> list[str]:
    """What is spoken of and not settled: LABEL, BOXES, both or none."""
    labels, boxes = about(votes, LABEL), about(votes, BOXES)
    found = []
    if labels and not settled_label(labels):
        found.append(LABEL)
    if boxes and not settled_boxes(boxes):
        found.append(BOXES)
    return found


def _disagreement(votes: Sequence[Vote]) -> str:
    names = {LABEL: "the label", BOXES: "the boxes"}
    unsettled = [names[one] for one in _disputed(votes)]
    what = " and ".join(unsettled)
    return f"not settled: {what}"


def _has_spoken(reviewer: str, votes: Sequence[Vote]) -> bool:
    name = reviewer.casefold()
    return any(vote.reviewer.casefold() == name for vote in votes)


def _answer(vote: Vote) -> str:
    if vote.about == LABEL:
        return "leave out" if vote.answer == EXCLUDED else vote.answer

    drawn = [one.category for one in parse_boxes(vote.answer)]
    return f"boxes {', '.join(drawn)}" if drawn else "no box"


def item_of(row: Any, data: Path, *, kind: str, reason: str, score: float) -> Item:
    """The item about a view, by its row of the manifest."""
    return Item(
        image_sha256=str(row.image_sha256),
        path=data / str(row.path),
        part_id=str(row.part_id),
        label=str(row.label),
        kind=kind,
        reason=reason,
        score=score,
        boxes=str(row.boxes),
        held=bool(row.held),
    )


def _error(label: str, verdict: str, normal: str) -> str:
    if label == normal:
        return "overkill" if verdict == "reject" else ""
    return "escape" if verdict == "pass" else ""


def _doubt(part: LoggedPart, said: Feedback | None, normal: str) -> tuple[str, str]:
    """The kind and the reason for which a person should look at what the service judged."""
    when = to_the_minute(part.answered_at)
    is_review = part.verdict == "review"
    if said is None:
        if is_review:
            return SERVICE_REVIEW, f"sent to review as {part.label}, {when}"
        return "", ""

    is_good = said.label == normal
    has_passed = part.verdict == "pass"
    # a verdict that left it to a person is contradicted by none
    if is_review or is_good == has_passed:
        return "", ""
    reason = (
        f"{said.reviewer} says {said.label}, the verdict was {part.verdict}, {when}"
    )
    return "feedback", reason
