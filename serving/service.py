"""The BentoML service: `bentoml serve serving.service:Inspection` serves the champion.

Environment: KNURL_RELEASES, the folder of releases (models/releases); KNURL_TOKEN, a bearer token
that /inspect and /model ask for.
"""

import functools
import os
from pathlib import Path

import bentoml

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion
from inspection.storage import sha256_of
from serving.answers import Served
from serving.api import create_app

RELEASES = Path("models/releases")
TIMEOUT_S = 60


def releases() -> Path:
    """The folder of releases."""
    return Path(os.environ.get("KNURL_RELEASES") or RELEASES)


@functools.cache
def current() -> Served:
    """The champion, loaded once."""
    folder = champion(releases())
    return Served(
        inspector=Inspector(folder),
        release=folder.name,
        card_json=(folder / CARD).read_bytes(),
        card_sha256=sha256_of(folder / CARD),
    )


def refuse_without_champion() -> None:
    """Refuse to start, in one line a problem, where there is no champion or it is broken."""
    try:
        Inspector(champion(releases()))
    except InspectionError as error:
        raise SystemExit(f"service: not started\n{error}") from error


@bentoml.service(
    name="inspection",
    workers=1,
    traffic={"timeout": TIMEOUT_S},
    http={"host": "127.0.0.1", "port": 3000},
)
@bentoml.asgi_app(create_app(current, token=os.environ.get("KNURL_TOKEN", "")))
class Inspection:
    """Inspects parts: views in, verdict out."""

    def __init__(self) -> None:
        current()

    check_champion = bentoml.on_deployment(refuse_without_champion)
