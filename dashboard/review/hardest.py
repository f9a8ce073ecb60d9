"""What the card of the model assembled last names: the parts that hold the thresholds, and those
that are judged against their label by thresholds set without them.

Neither need be an error by the thresholds as they are, which rest on these parts too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from dashboard.evidence import Evidence
from dashboard.review.queue import HARDEST, NOT_SCORED, Item, beyond, item_of
from inspection.evaluation.rates import percent
from inspection.runtime.bundle import Card


@dataclass(frozen=True)
class Named:
    """A part that the card names, by the view that decides; `beyond` is that of an item."""

    view: str
    labels: list[str]
    kind: str
    reason: str
    beyond: float


def from_card(
    card: Card, evidence: Evidence, manifest: pd.DataFrame, data: Path
) -> list[Item]:
    """The deciding view of each part that the card names, as long as its label is the same."""
    rows = {row.path: row for row in manifest.itertuples()}
    found = []
    for one in (*_hardest(card, evidence), *_judged_unseen(card)):
        row = rows.get(one.view)
        # of what bears another label by now the card says nothing
        if row is None or row.label not in one.labels:
            continue
        item = item_of(row, data, kind=one.kind, reason=one.reason, score=NOT_SCORED)
        found.append(replace(item, beyond=one.beyond))
    return found


def _hardest(card: Card, evidence: Evidence) -> Iterator[Named]:
    """The defective parts that keep most normal ones from passing.

    None where a look at them could gain next to nothing, by the card.
    """
    hardest = card.metrics.get("limit", {}).get("hardest", {})
    if not hardest.get("sentence"):
        return

    now = percent(hardest["good_passed"])
    for part in hardest["parts"]:
        part_id, score = part["part_id"], part["score"]
        if part_id not in evidence.parts:
            continue
        passed = percent(part["good_passed_without"])
        yield Named(
            view=evidence.deciding_view(part_id, card),
            labels=part["labels"],
            kind=HARDEST,
            reason=f"without this part, and those that look more normal, {passed} of the good "
            f"parts would pass, now {now}",
            beyond=beyond(HARDEST, score, card),
        )


def _judged_unseen(card: Card) -> Iterator[Named]:
    """The parts that are judged against their label by what was decided without them."""
    for part in card.metrics.get("limit", {}).get("suspects", ()):
        kind = part["kind"]
        yield Named(
            view=part["view"],
            labels=part["labels"],
            kind=kind,
            reason=f"{kind} by thresholds set without this part",
            beyond=beyond(kind, part["score"], card),
        )
