"""The models at hand: the champion, other releases, and the bundle that was assembled last."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.registered import CHALLENGER, PREVIOUS, Registered, roles_of
from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.releases import POINTER, champion
from inspection.storage import sha256_of

CHAMPION, ASSEMBLED = "champion", "assembled last"


@dataclass(frozen=True)
class Version:
    """A model that can be looked at. `name` is what the URL says, `roles` what it is to the line.

    `card_sha256` names it in the registry.
    """

    name: str
    roles: tuple[str, ...]
    folder: Path
    card: Card
    card_sha256: str

    @property
    def role(self) -> str:
        """The roles in words; '' for a release that has none."""
        return ", ".join(self.roles)

    def __str__(self) -> str:
        return f"{self.name} ({self.role})" if self.role else self.name


def versions(
    releases: Path, bundle: Path, registered: Sequence[Registered] = ()
) -> list[Version]:
    """The champion first, then the challenger, the bundle that was assembled last, the previous
    champion, and the other releases.

    The newest release comes first. Raises InspectionError where there is no model at all.
    """
    assembled = _digest(bundle)
    found = _releases(releases, assembled, registered)
    if assembled and assembled not in {one.card_sha256 for one in found}:
        card = read_card(bundle)
        roles = (*roles_of(registered, assembled), ASSEMBLED)
        found.append(Version(card.version, roles, bundle, card, assembled))
    if not found:
        raise InspectionError(
            f"{bundle / CARD}: not found; run `dvc repro` to make a model, then "
            "`python -m pipelines.promote` to let it serve"
        )

    order = (CHAMPION, CHALLENGER, ASSEMBLED, PREVIOUS)

    def place(one: Version) -> int:
        return min(map(order.index, one.roles), default=len(order))

    return sorted(found, key=place)


def _releases(
    releases: Path, assembled: str, registered: Sequence[Registered]
) -> list[Version]:
    """The releases, the newest first. `assembled` is the hash of the bundle's card."""
    cards = list(releases.glob(f"[!.]*/{CARD}"))
    cards.sort(key=lambda card: card.stat().st_mtime_ns, reverse=True)

    serving = _serving(releases)
    found: list[Version] = []
    for path in cards:
        folder = path.parent
        digest = sha256_of(path)
        roles = roles_of(registered, digest)
        if digest == assembled:
            roles = (*roles, ASSEMBLED)
        # what serves is the champion, whatever else it is
        if folder == serving:
            roles = (CHAMPION,)
        version = Version(folder.name, roles, folder, read_card(folder), digest)
        found.append(version)
    return found


def _digest(folder: Path) -> str:
    """The hash of the card of a folder; '' where there is none."""
    card = folder / CARD
    return sha256_of(card) if card.is_file() else ""


def named(found: Sequence[Version], name: str) -> Version:
    """The version of this name or role; the first of all where there is none such."""
    for one in found:
        if name in (one.name, *one.roles):
            return one
    return found[0]


def _serving(releases: Path) -> Path | None:
    """The folder of the champion; None where there is none yet. A broken pointer is refused."""
    pointer = releases / POINTER
    return champion(releases) if pointer.is_file() else None
