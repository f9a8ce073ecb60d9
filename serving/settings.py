"""What the environment tells the service: addresses and secrets, nothing that decides a verdict.

KNURL_RELEASES   the folder of releases (models/releases)
KNURL_TOKEN      bearer tokens, by commas; with two of them clients can move from one to the next
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RELEASES = Path("models/releases")


@dataclass(frozen=True)
class Settings:
    """Where the releases lie, and which tokens open the service; without tokens it is open."""

    releases: Path = RELEASES
    tokens: tuple[str, ...] = ()


def from_environment(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment gives; what it leaves empty has its default."""
    tokens = variables.get("KNURL_TOKEN", "").split(",")

    return Settings(
        releases=Path(variables.get("KNURL_RELEASES") or RELEASES),
        tokens=tuple(token.strip() for token in tokens if token.strip()),
    )
