"""What models say of parts that they have not seen, as the review desk asks about it."""

from pathlib import Path

import pandas as pd

from dashboard.evidence import Evidence
from dashboard.review.doubts import from_doubts
from dashboard.review.hardest import from_card
from dashboard.review.queue import Item, from_errors
from inspection.runtime.bundle import Card


def from_unseen(
    evidence: Evidence, card: Card, manifest: pd.DataFrame, data: Path
) -> list[Item]:
    """What holds the thresholds, escapes and overkill, and labels that the classifier doubts."""
    return [
        *from_card(card, evidence, manifest, data),
        *from_errors(evidence, card, manifest, data),
        *from_doubts(evidence, card, manifest, data),
    ]
