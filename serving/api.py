"""The HTTP interface: an ASGI app around one inspector. It knows nothing of BentoML."""

import hmac
from collections.abc import Callable

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serving.answers import Served, answer
from serving.lingering import Lingering
from serving.openapi import specification
from serving.refusals import RefusedError
from serving.uploads import Budget, read_views

N_WORKERS = 2


class Api:
    """The endpoints. `current` tells which release serves; `token`, where set, must be shown."""

    def __init__(self, current: Callable[[], Served], token: str) -> None:
        self._current = current
        self._token = token
        self._memory = Budget()
        self._workers: anyio.CapacityLimiter | None = None

    async def inspect(self, request: Request) -> Response:
        """The verdict on the views of one part."""
        self._check_token(request)
        heatmap = _heatmap_asked(request)
        with self._memory.share() as take:
            views = await read_views(request, take)

            def work() -> bytes:
                found = answer(self._current(), views, heatmap=heatmap)
                return found.model_dump_json(exclude_none=True).encode()

            self._workers = self._workers or anyio.CapacityLimiter(N_WORKERS)
            body = await to_thread.run_sync(work, limiter=self._workers)
        return Response(body, media_type="application/json")

    async def model(self, request: Request) -> Response:
        """The card of the release that serves, byte by byte as it was promoted."""
        self._check_token(request)
        return Response(self._current().card_json, media_type="application/json")

    async def openapi(self, _: Request) -> Response:
        """What this service speaks."""
        return JSONResponse(specification())

    def _check_token(self, request: Request) -> None:
        if not self._token:
            return
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(shown.encode("latin-1"), self._token.encode())
        if scheme.lower() != "bearer" or not right:
            raise RefusedError(
                401, "unauthorized", "authorization: show the token as `Bearer TOKEN`"
            )


def create_app(current: Callable[[], Served], *, token: str = "") -> ASGIApp:
    """The app that answers /inspect, /model and /openapi.json."""
    api = Api(current, token)
    app = Starlette(
        routes=[
            Route("/inspect", api.inspect, methods=["POST"]),
            Route("/model", api.model),
            Route("/openapi.json", api.openapi),
        ],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _not_served,
            ClientDisconnect: _gone,
            500: _failed,
        },
    )
    app.router.redirect_slashes = (
        False  # the redirect would name whatever host a client claims
    )
    return Lingering(app)


def _heatmap_asked(request: Request) -> bool:
    query = dict(request.query_params)
    value = query.pop("heatmap", "false").lower()
    if query:
        raise RefusedError(
            400,
            "unknown_parameter",
            f"{min(query)[:80]!r}: is no parameter; try heatmap=true",
        )
    if value not in ("true", "false"):
        raise RefusedError(
            400,
            "bad_parameter",
            f"heatmap: should be true or false, got {value[:80]!r}",
        )
    return value == "true"


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(error.as_json(), error.status, headers)


def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "method_not_allowed" if error.status_code == 405 else "not_found"
    message = (
        f"{request.method} {request.url.path[:80]!r}: {error.detail}; see /openapi.json"
    )
    return JSONResponse(
        RefusedError(error.status_code, code, message).as_json(),
        error.status_code,
        error.headers,
    )


def _gone(_: Request, __: Exception) -> Response:
    return JSONResponse(
        RefusedError(400, "disconnected", "the client left").as_json(), 400
    )


def _failed(_: Request, __: Exception) -> Response:
    message = (
        "our fault, and logged; send it again, or show the log to whoever runs this"
    )
    return JSONResponse(RefusedError(500, "internal", message).as_json(), 500)
