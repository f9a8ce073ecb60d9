"""What is refused before an endpoint sees it: requests of two lengths, and pages of other sites."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.metrics import Metrics
from serving.refusals import RefusedError

# What a browser says of a request that a page of another site has caused (Fetch Metadata).
FOREIGN = frozenset({"cross-site", "same-site"})


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        problem = _problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self.app(scope, receive, send)
            return

        self._metrics.count_refusal(problem.code)
        # closed: what follows on this connection cannot be told from the body
        headers = {"connection": "close"}
        response = JSONResponse(problem.as_json(), problem.status, headers)
        await response(scope, receive, send)


def _problem(scope: Scope) -> RefusedError | None:
    headers = Headers(scope=scope)
    if "content-length" in headers and "transfer-encoding" in headers:
        return RefusedError(
            400, "two_lengths", "send either content-length or transfer-encoding"
        )

    changes = scope["method"] not in ("GET", "HEAD")
    if changes and headers.get("sec-fetch-site") in FOREIGN:
        return RefusedError(
            403,
            "foreign_page",
            "sent by a page of another site; use the page of this service",
        )
    return None
