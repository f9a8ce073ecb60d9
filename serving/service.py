"""The BentoML service: `bentoml serve serving.service:Inspection` serves the champion of each line.

Every request is answered by our own app, none by BentoML's: its index page, its log and its metrics
know no limits (see serving/settings.py for the environment).
"""

from typing import Any

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from inspection.errors import InspectionError
from serving import settings
from serving.api import create_plant_app
from serving.inspections import BACKSTOP_S
from serving.plant.wiring import plant_of, require_a_champion
from serving.server import logs
from serving.server.connections import BACKLOG, guard_connections
from serving.server.manager import close_control_ports
from serving.server.memory import give_back_at_once

try:
    SETTINGS = settings.from_environment()
except InspectionError as error:
    raise SystemExit(f"service: not started\n{error}") from error
lines = plant_of(SETTINGS)
guard_connections()
give_back_at_once()
app = create_plant_app(
    lines,
    tokens=SETTINGS.tokens,
    hosts=SETTINGS.hosts,
    max_waiting=SETTINGS.max_waiting,
)


class OurApp:
    """ASGI middleware that answers every request itself, and leaves BentoML its start and end."""

    def __init__(self, app: ASGIApp, answers: ASGIApp) -> None:
        self._bentoml = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        handler = self._answers if scope["type"] == "http" else self._bentoml
        await handler(scope, receive, send)


def before_the_start() -> None:
    """In the manager's process: close its control ports, and refuse to start without a champion.

    What is wrong with the champion is told in one line a problem.
    """
    close_control_ports()
    try:
        require_a_champion(SETTINGS)
    except InspectionError as error:
        raise SystemExit(f"service: not started\n{error}") from error


@bentoml.service(
    name="inspection",
    workers=1,
    backlog=BACKLOG,
    traffic={"timeout": BACKSTOP_S},
    http={"host": "127.0.0.1", "port": 3000},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class Inspection:
    """Inspects parts: views in, verdict out."""

    def __init__(self) -> None:
        logs.to_stderr()
        lines.start()

    before_the_start: Any = bentoml.on_deployment(before_the_start)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Follow the pointers no longer, and close the logs."""
        lines.stop()


Inspection.add_asgi_middleware(OurApp, answers=app)  # type: ignore[attr-defined]
