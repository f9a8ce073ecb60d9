"""The release that serves, and the thread that follows the pointer to the next one.

A new champion is loaded and checked beside the one at work, and takes its place by one assignment:
a request keeps the release with which it began. What is broken never serves; the last good release
stays, and `state` says what was wrong.
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import POINTER, champion_card

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# Reading 200 bytes costs some 20 us, so twice a second is free, and a promotion is served within
# a second; the promise is ten.
POLL_S = 0.5
# A release that is still being copied is whole a little later. Hashing it costs some 10 ms, and at
# every poll it would load a core by 2 %.
RETRY_S = 5.0

logger = logging.getLogger("knurl.champion")


class NothingServesError(InspectionError):
    """No release has been loaded."""


@dataclass(frozen=True)
class Served:
    """The release at work: its inspector, and the card as it lies on disk."""

    inspector: Inspector
    release: str
    card_json: bytes
    card_sha256: str


@dataclass(frozen=True)
class ChampionState:
    """How the pick-up fares: counts since the start, and what is wrong now, if anything."""

    release: str
    card_sha256: str
    problem: str
    n_taken_up: int
    n_refused: int
    following: bool


class Serving(Protocol):
    """What the app asks of a champion."""

    def current(self) -> Served:
        """The release at work. Raises NothingServesError."""

    def state(self) -> ChampionState:
        """How the pick-up of new releases fares."""


class Champion:
    """Serves what the pointer in the folder `releases` names. Thread-safe.

    With a public key it serves only what the owner of the key has signed.
    """

    def __init__(
        self, releases: Path, public_key: "Ed25519PublicKey | None" = None
    ) -> None:
        self._releases = releases
        self._public_key = public_key
        self._served: Served | None = None
        self._pointer = b""
        self._problem = ""
        self._tried_at_s = 0.0
        self._n_taken_up = 0
        self._n_refused = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, required: bool = True) -> None:
        """Load the champion, then follow the pointer.

        Raises InspectionError or OSError where it is `required`; else the first one is waited for.
        """
        self._pointer = self._read_pointer()
        self._tried_at_s = time.monotonic()
        try:
            self._take_up()
        except (InspectionError, OSError) as error:
            if required:
                raise
            self._refuse(str(error))

        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._follow, name="champion", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Follow the pointer no longer; the release at work stays."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def current(self) -> Served:
        """The release at work. Keep what you get for as long as one request lasts."""
        if self._served is None:
            raise NothingServesError("champion: none is loaded; call `start`")
        return self._served

    def state(self) -> ChampionState:
        """Which release serves, and how the pick-up fares."""
        served = self._served
        return ChampionState(
            release=served.release if served else "",
            card_sha256=served.card_sha256 if served else "",
            problem=self._problem,
            n_taken_up=self._n_taken_up,
            n_refused=self._n_refused,
            following=self._thread is not None and self._thread.is_alive(),
        )

    def look(self) -> None:
        """Take up the release that the pointer names, if it is another one and whole."""
        pointer = self._read_pointer()
        waits = time.monotonic() - self._tried_at_s < RETRY_S
        if pointer == self._pointer and (not self._problem or waits):
            return

        self._pointer = pointer
        self._tried_at_s = time.monotonic()
        try:
            self._take_up()
        except (InspectionError, OSError) as error:
            self._refuse(str(error))

    def _follow(self) -> None:
        while not self._stopping.wait(POLL_S):
            self.look()

    def _take_up(self) -> None:
        folder, card = champion_card(self._releases, self._public_key)
        served = self._served

        if served is None or (folder.name, card) != (served.release, served.card_json):
            loaded = load(folder, card)
            # before the swap: who sees the new release sees no problem of the old pointer
            self._problem = ""
            self._served = loaded
            self._n_taken_up += 1
            logger.warning("serving %s", loaded.release)
        self._problem = ""

    def _refuse(self, problem: str) -> None:
        # told once, not at every retry: a log must not fill up with one broken release
        if problem != self._problem and self._served is None:
            logger.error("no release serves: %s", problem)
        elif problem != self._problem:
            self._n_refused += 1
            kept = self.current().release
            logger.error("a release is refused, %s stays: %s", kept, problem)
        self._problem = problem

    def _read_pointer(self) -> bytes:
        try:
            return (self._releases / POINTER).read_bytes()
        except OSError:
            # `champion` says what is wrong with it
            return b""


def load(folder: Path, card: bytes) -> Served:
    """A release with its models loaded and checked. Raises InspectionError, OSError.

    `card` is what was read of its card and found to be promoted.
    """
    inspector = Inspector(folder)
    if not _is(inspector.card, card):
        raise InspectionError(
            f"{folder / CARD}: was changed while it was loaded; promote a release again"
        )
    inspector.self_check()

    return Served(
        inspector=inspector,
        release=folder.name,
        card_json=card,
        card_sha256=hashlib.sha256(card).hexdigest(),
    )


def _is(loaded: Card, content: bytes) -> bool:
    """Whether a card that was read a second time says what these bytes say."""
    try:
        return loaded == Card.model_validate_json(content)
    except ValidationError:
        return False
