"""What the environment tells the service: addresses, secrets, and what may be kept on this disk.

KNURL_RELEASES           the folder of releases (models/releases)
KNURL_PUBLIC_KEY         a PEM file; given, only releases that its owner has signed may serve
KNURL_TOKEN              bearer tokens, by commas; with two, clients can move from one to the next
KNURL_VERDICTS           the folder of the verdict log and the pictures (verdicts)
KNURL_KEEP_PASS_PERCENT  how many of the passed pictures are kept (2); of the others all are
KNURL_PICTURES_MB        how much room the pictures may take, the oldest leave first (2048)

A path that is not absolute starts in the folder above `serving/`, the project's or the Bento's:
the processes of `bentoml serve` do not all work in the folder in which it was called.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import InspectionError
from inspection.runtime.signatures import read_public_key
from serving.recorder import KeepingPolicy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT = Path(__file__).resolve().parent.parent
RELEASES = "models/releases"
VERDICTS = "verdicts"
# One passed part in fifty: on a line of 5,000 parts a day a hundred a day, enough to see drift.
KEEP_PASS_PERCENT = 2.0
# Some 10,000 pictures of 200 kB: weeks of rejects, and little beside a disk of today.
PICTURES_MB = 2048.0


@dataclass(frozen=True)
class Settings:
    """Where releases and verdicts lie, what is kept, and the tokens; without tokens it is open."""

    releases: Path
    tokens: tuple[str, ...]
    verdicts: Path
    policy: KeepingPolicy
    public_key: "Ed25519PublicKey | None" = None


def from_environment(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment gives; what it leaves empty has its default.

    Raises InspectionError.
    """
    tokens = variables.get("KNURL_TOKEN", "").split(",")
    percent = _number(variables, "KNURL_KEEP_PASS_PERCENT", KEEP_PASS_PERCENT, 100.0)
    megabytes = _number(variables, "KNURL_PICTURES_MB", PICTURES_MB, float("inf"))

    public_key = variables.get("KNURL_PUBLIC_KEY")

    return Settings(
        releases=ROOT / (variables.get("KNURL_RELEASES") or RELEASES),
        tokens=tuple(token.strip() for token in tokens if token.strip()),
        verdicts=ROOT / (variables.get("KNURL_VERDICTS") or VERDICTS),
        policy=KeepingPolicy(percent / 100, round(megabytes * 1e6)),
        public_key=read_public_key(ROOT / public_key) if public_key else None,
    )


def _number(
    variables: Mapping[str, str], name: str, default: float, highest: float
) -> float:
    text = variables.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest or value == float("inf"):
        raise InspectionError(
            f"{name}: got {text!r}; give a number from 0 to {highest:g}"
        )
    return value
