"""Around every request: an id and security headers on its answer, a count, a line in the log."""

import json
import logging
import time
import uuid
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import UNKNOWN, Metrics

logger = logging.getLogger("knurl.access")

# A page of ours loads its own script and style, and pictures that it has drawn itself; no other
# page may frame it, and nothing is loaded from elsewhere.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
# A path may be as long as the server reads a header, 64 kB; a line of the log is for people.
MAX_LOGGED_CHARACTERS = 200
# The parameter of a path that names a line.
LINE = "line"
# In the answer's header, in the access log and, of what was inspected, in the verdict log.
REQUEST_ID = "x-request-id"


class Observing:
    """ASGI middleware around the app whose `routes` are given."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route], metrics: Metrics) -> None:
        self.app = app
        # an endpoint serves the line in the root, and by another route the others
        self._templates = {
            (route.endpoint, LINE in route.param_convertors): route.path
            for route in routes
        }
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        began_s = time.monotonic()
        request_id = uuid.uuid4().hex
        # where Starlette's requests read it, as request.state.request_id
        scope.setdefault("state", {})["request_id"] = request_id
        # 499: the client left before there was an answer (nginx's number)
        status = 499

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {REQUEST_ID: request_id, **SECURITY_HEADERS}
                MutableHeaders(scope=message).update(headers)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            self._note(scope, status, time.monotonic() - began_s)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # None where no route has matched, which is no key
        matched: tuple[Any, bool] = (
            scope.get("endpoint"),
            LINE in scope.get("path_params", {}),
        )
        route = self._templates.get(matched, UNKNOWN)
        self._metrics.count_request(route, scope["method"], status, seconds)
        logger.info(access_line(scope, status, seconds))


def access_line(scope: Scope, status: int, seconds: float) -> str:
    """One line on a request; what the client wrote is quoted, and stays on its line.

    >>> scope = {"method": "GET", "path": "/a\\nfake", "client": ("127.0.0.1", 5)}
    >>> access_line(scope | {"state": {"request_id": "4711"}}, 404, 0.0012)
    '127.0.0.1 "GET" "/a\\\\nfake" 404 1.2 ms 4711'
    """
    client = scope.get("client") or ("-",)
    method, path = (_quoted(scope[key]) for key in ("method", "path"))
    request_id = scope["state"]["request_id"]
    return f"{client[0]} {method} {path} {status} {1000 * seconds:.1f} ms {request_id}"


def _quoted(text: str) -> str:
    # JSON in ASCII escapes every control character, quotes, and what only looks like a line's end
    return json.dumps(text[:MAX_LOGGED_CHARACTERS], ensure_ascii=True)
