"""What the environment tells the service: addresses, secrets, and what may be kept on this disk.

KNURL_RELEASES           the folder of releases (models/releases)
KNURL_PUBLIC_KEY         a PEM file; given, only releases that its owner has signed may serve
KNURL_TOKEN              bearer tokens, by commas; with two, clients can move from one to the next
KNURL_HOSTS              names under which browsers reach it, by commas; without a token, another
                         name with a dot is refused (DNS rebinding)
KNURL_LINES              the folder of further lines (lines): each has its releases and verdicts
                         in its own folder there
KNURL_VERDICTS           the folder of the verdict log and the pictures (verdicts)
KNURL_KEEP_PASS_PERCENT  how many of the passed pictures are kept (2); of the others all are
KNURL_PICTURES_MB        room for the pictures of a line, the oldest leave first (2048)
KNURL_MAX_WAITING        how many parts may wait beside the two at work; the next gets a 429 (8)

A path that is not absolute starts in the folder above `serving/`, the project's or the Bento's:
the processes of `bentoml serve` do not all work in the folder in which it was called.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import InspectionError
from inspection.plant import LINES
from inspection.runtime.recording import (
    KeepingPolicy,
    keeping_policy,
    verdicts_folder,
)
from inspection.runtime.signatures import read_public_key
from serving.lanes import MAX_WAITING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT = Path(__file__).resolve().parent.parent
RELEASES = "models/releases"


@dataclass(frozen=True)
class Settings:
    """Where releases and verdicts lie, what is kept, and the tokens; without tokens it is open."""

    releases: Path
    tokens: tuple[str, ...]
    verdicts: Path
    policy: KeepingPolicy
    max_waiting: int = MAX_WAITING
    public_key: "Ed25519PublicKey | None" = None
    hosts: tuple[str, ...] = ()
    lines: Path = ROOT / LINES


def from_environment(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment gives; what it leaves empty has its default.

    Raises InspectionError.
    """
    public_key = variables.get("KNURL_PUBLIC_KEY")

    return Settings(
        releases=ROOT / (variables.get("KNURL_RELEASES") or RELEASES),
        tokens=_by_commas(variables.get("KNURL_TOKEN", "")),
        verdicts=ROOT / verdicts_folder(variables),
        policy=keeping_policy(variables),
        max_waiting=_max_waiting(variables),
        public_key=read_public_key(ROOT / public_key) if public_key else None,
        # the names of hosts know no upper case
        hosts=_by_commas(variables.get("KNURL_HOSTS", "").lower()),
        lines=ROOT / (variables.get("KNURL_LINES") or LINES),
    )


def _by_commas(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _max_waiting(variables: Mapping[str, str]) -> int:
    text = variables.get("KNURL_MAX_WAITING") or str(MAX_WAITING)
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise InspectionError(
            f"KNURL_MAX_WAITING: got {text!r}; give a number of parts, 0 or more"
        )
    return value
