"""Which version serves, and which one is meant where a page speaks of parts that no model has seen.

Scores of such parts are kept of the last training alone, and so belong to what was assembled last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.versions import CHAMPION, Version
from inspection.runtime.bundle import Card


@dataclass(frozen=True)
class Shown:
    """The model whose unseen parts are shown; `note` says where another one serves, else ''."""

    folder: Path
    card: Card
    note: str = ""


def shown(found: Sequence[Version], bundle: Path, assembled: Card) -> Shown:
    """The champion where it is the model that was assembled last, else what was assembled last."""
    champion = next((one for one in found if CHAMPION in one.roles), None)
    if champion is None:
        return Shown(bundle, assembled)
    if champion.card.version == assembled.version:
        return Shown(champion.folder, champion.card)

    note = (
        f"{champion.name} serves (bundle {champion.card.version}). Thresholds and errors on unseen "
        f"parts are shown of bundle {assembled.version}, which was assembled last: their scores "
        "are kept of the last training alone."
    )
    return Shown(bundle, assembled, note)
