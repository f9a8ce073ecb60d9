"""The HTTP interface: an ASGI app around the champion. It knows nothing of BentoML."""

import hmac
from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serving import metrics
from serving.answers import answer
from serving.champion import ChampionState, Served
from serving.lingering import Lingering
from serving.metrics import Metrics
from serving.observing import Observing
from serving.openapi import specification
from serving.refusals import RefusedError
from serving.uploads import Budget, read_views

N_WORKERS = 2


class Serving(Protocol):
    """What the app asks of a champion."""

    def current(self) -> Served:
        """The release at work."""

    def state(self) -> ChampionState:
        """How the pick-up of new releases fares."""


class Api:
    """The endpoints. Where `tokens` are given, a request must show one of them."""

    def __init__(
        self, champion: Serving, tokens: Sequence[str], counts: Metrics
    ) -> None:
        self._champion = champion
        self._tokens = tokens
        self._counts = counts
        self._memory = Budget()
        self._workers: anyio.CapacityLimiter | None = None

    async def inspect(self, request: Request) -> Response:
        """The verdict on the views of one part."""
        self._check_token(request)
        heatmap = _heatmap_asked(request)
        with self._memory.share() as take:
            views = await read_views(request, take)

            def work() -> bytes:
                # one release from the first view to the answer, whatever is promoted meanwhile
                found = answer(self._champion.current(), views, heatmap=heatmap)
                self._counts.count_part(found)
                return found.model_dump_json(exclude_none=True).encode()

            self._workers = self._workers or anyio.CapacityLimiter(N_WORKERS)
            body = await to_thread.run_sync(work, limiter=self._workers)
        return Response(body, media_type="application/json")

    async def model(self, request: Request) -> Response:
        """The card of the release that serves, byte by byte as it was promoted."""
        self._check_token(request)
        return Response(
            self._champion.current().card_json, media_type="application/json"
        )

    async def openapi(self, _: Request) -> Response:
        """What this service speaks."""
        return JSONResponse(specification())

    async def alive(self, _: Request) -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    async def ready(self, _: Request) -> Response:
        """Whether parts can be inspected, by which release, and what is wrong with a newer one."""
        state = self._champion.state()
        # a broken release does not take the good one out of service; a thread that has died would
        # let the service grow old without a word
        status = 200 if state.release and state.following else 503
        body = {
            "ready": status == 200,
            "release": state.release,
            "card_sha256": state.card_sha256,
            "problem": state.problem or None,
        }
        return JSONResponse(body, status)

    async def metrics(self, request: Request) -> Response:
        """What was counted, for Prometheus."""
        self._check_token(request)
        page = self._counts.page(metrics.of_champion(self._champion.state()))
        return Response(page, media_type=metrics.CONTENT_TYPE)

    async def refused(self, _: Request, error: Exception) -> Response:
        """The answer to what is turned down."""
        assert isinstance(error, RefusedError)
        self._counts.count_refusal(error.code)
        return JSONResponse(error.as_json(), error.status, error.headers())

    def _check_token(self, request: Request) -> None:
        if not self._tokens:
            return
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        given = shown.encode("latin-1")
        # every token is compared, so that time does not tell which of them was nearly met
        right = [
            hmac.compare_digest(given, token.encode("utf-8")) for token in self._tokens
        ]
        if scheme.lower() != "bearer" or not any(right):
            raise RefusedError(
                401, "unauthorized", "authorization: show the token as `Bearer TOKEN`"
            )


def create_app(
    champion: Serving, *, tokens: Sequence[str] = (), counts: Metrics | None = None
) -> ASGIApp:
    """The app: /inspect, /model, /openapi.json, /healthz, /livez, /readyz and /metrics."""
    counts = counts or Metrics()
    api = Api(champion, tokens, counts)
    routes = [
        Route("/inspect", api.inspect, methods=["POST"]),
        Route("/model", api.model),
        Route("/openapi.json", api.openapi),
        Route("/healthz", api.alive),
        Route("/livez", api.alive),
        Route("/readyz", api.ready),
        Route("/metrics", api.metrics),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            RefusedError: api.refused,
            HTTPException: _not_served,
            ClientDisconnect: _gone,
            500: _failed,
        },
    )
    # the redirect would name whatever host a client claims
    app.router.redirect_slashes = False
    return Observing(Lingering(app), routes, counts)


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
