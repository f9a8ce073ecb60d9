"""What the registry of models held when a command of `pipelines` last asked it.

The pages do not speak to MLflow, whose import takes seconds: they read what lies beside the
releases, and the receipt of a bundle that was registered since.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.storage import read_json

SEEN = "registry.json"
CHALLENGER, PREVIOUS = "challenger", "previous"


@dataclass(frozen=True)
class Registered:
    """A version of the line's model: its number, its release, its card's hash, its aliases."""

    number: str
    release: str
    card_sha256: str
    aliases: tuple[str, ...]


def registered(releases: Path, receipt: Path) -> list[Registered]:
    """The versions, the newest first; none where no command has asked the registry yet.

    A receipt that is newer than that is of the bundle that challenges since.
    """
    seen = releases / SEEN
    if not seen.is_file():
        return []

    found = []
    for one in read_json(seen)["versions"]:
        aliases = tuple(one["aliases"])
        version = Registered(one["number"], one["release"], one["card_sha256"], aliases)
        found.append(version)
    is_newer = (
        receipt.is_file() and receipt.stat().st_mtime_ns > seen.stat().st_mtime_ns
    )
    return _challenged_by(read_json(receipt), found) if is_newer else found


def roles_of(found: Sequence[Registered], card_sha256: str) -> tuple[str, ...]:
    """Of challenger and previous those that the version with this card is.

    None for one that is the champion besides, as after each promotion.
    """
    for one in found:
        if one.card_sha256 == card_sha256 and "champion" not in one.aliases:
            return tuple(name for name in (CHALLENGER, PREVIOUS) if name in one.aliases)
    return ()


def not_here(found: Sequence[Registered], cards: Collection[str]) -> list[Registered]:
    """The versions whose bundle does not lie here, by the hashes of the cards that do."""
    return [one for one in found if one.card_sha256 not in cards]


def not_here_sentence(found: Sequence[Registered]) -> str:
    """Which versions are in the registry alone, and the command that fetches one; '' for none."""
    if not found:
        return ""
    names = []
    for one in found:
        aliases = f", {', '.join(one.aliases)}" if one.aliases else ""
        names.append(f"{one.number} ({one.release}{aliases})")
    first = found[0].number
    return (
        f"In the registry and not here: version {'; '.join(names)}. "
        f"`python -m pipelines.status --fetch {first}` fetches the first of them."
    )


def _challenged_by(
    receipt: dict[str, str], found: Sequence[Registered]
) -> list[Registered]:
    """The versions, with the one of a receipt as the challenger."""
    number, card = str(receipt["version"]), receipt["card_sha256"]
    others = []
    own = Registered(number, "", card, ())
    for one in found:
        aliases = tuple(name for name in one.aliases if name != CHALLENGER)
        kept = Registered(one.number, one.release, one.card_sha256, aliases)
        if one.number == number:
            own = kept
        else:
            others.append(kept)
    challenger = Registered(own.number, own.release, card, (CHALLENGER, *own.aliases))
    return [challenger, *others]
