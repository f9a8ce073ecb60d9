"""The models at hand: the champion, other releases, and the bundle that was assembled last."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.releases import POINTER, champion
from inspection.storage import sha256_of

CHAMPION, ASSEMBLED = "champion", "assembled last"


@dataclass(frozen=True)
class Version:
    """A model that can be looked at. `name` is what the URL says, `role` what it is to the line."""

    name: str
    role: str
    folder: Path
    card: Card

    def __str__(self) -> str:
        return f"{self.name} ({self.role})" if self.role else self.name


def versions(releases: Path, bundle: Path) -> list[Version]:
    """The champion first, then the bundle where it is another model, then the other releases.

    The newest release comes first. Raises InspectionError where there is no model at all.
    """
    assembled = _digest(bundle)
    found, digests = _releases(releases, assembled)
    if assembled and assembled not in digests:
        card = read_card(bundle)
        found.append(Version(card.version, ASSEMBLED, bundle, card))
    if not found:
        raise InspectionError(
            f"{bundle / CARD}: not found; run `dvc repro` to make a model, then "
            "`python -m pipelines.promote` to let it serve"
        )

    order = {CHAMPION: 0, ASSEMBLED: 1}
    return sorted(found, key=lambda one: order.get(one.role, len(order)))


def _releases(releases: Path, assembled: str) -> tuple[list[Version], set[str]]:
    """The releases, the newest first, and the hashes of their cards.

    `assembled` is the hash of the bundle's card.
    """
    cards = list(releases.glob(f"[!.]*/{CARD}"))
    cards.sort(key=lambda card: card.stat().st_mtime_ns, reverse=True)

    serving = _serving(releases)
    found: list[Version] = []
    digests: set[str] = set()
    for path in cards:
        folder = path.parent
        digest = sha256_of(path)
        digests.add(digest)
        role = ""
        if digest == assembled:
            role = ASSEMBLED
        if folder == serving:
            role = CHAMPION
        found.append(Version(folder.name, role, folder, read_card(folder)))
    return found, digests


def _digest(folder: Path) -> str:
    """The hash of the card of a folder; '' where there is none."""
    card = folder / CARD
    return sha256_of(card) if card.is_file() else ""


def named(found: Sequence[Version], name: str) -> Version:
    """The version of this name or role; the first of all where there is none such."""
    for one in found:
        if name in (one.name, one.role):
            return one
    return found[0]


def _serving(releases: Path) -> Path | None:
    """The folder of the champion; None where there is none yet. A broken pointer is refused."""
    pointer = releases / POINTER
    return champion(releases) if pointer.is_file() else None
