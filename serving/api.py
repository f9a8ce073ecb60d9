"""The HTTP interface: an ASGI app around the champion. It knows nothing of BentoML."""

import hmac
import time
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serving import feedback, metrics, page
from serving.champion import Serving
from serving.inspections import Asked, Inspections
from serving.lanes import MAX_WAITING
from serving.metrics import Metrics
from serving.openapi import specification
from serving.plant.answers import LinesAnswer
from serving.plant.line import LineAtWork
from serving.plant.lines import Lines
from serving.recorder import Recorder
from serving.refusals import RefusedError
from serving.server.gate import Gate
from serving.server.lingering import Lingering
from serving.server.observing import LINE, Observing
from serving.uploads import read_parts


class Api:
    """The endpoints. Where `tokens` are given, a request must show one of them.

    A path that names a line asks that one, any other the line in the root.
    """

    def __init__(
        self, lines: Lines, tokens: Sequence[str], counts: Metrics, max_waiting: int
    ) -> None:
        self._lines = lines
        self._tokens = tokens
        self._counts = counts
        self._inspections = Inspections(counts, max_waiting)

    async def inspect(self, request: Request) -> Response:
        """The verdict on the views of one part, or on each part of a lot."""
        self._check_token(request)
        began_s = time.monotonic()
        line = self._line(request)
        heatmap, lot = _flags(request, "heatmap", "lot")
        # before a body is read that would be in vain
        line.served()
        self._inspections.check_room()

        with self._inspections.memory.share() as take:
            parts = await read_parts(request, take, lot=lot)
            asked = Asked(
                line,
                request.state.request_id,
                began_s,
                parts,
                lot=lot,
                heatmap=heatmap,
            )
            body = await self._inspections.answer(asked, take)
        return Response(body, media_type="application/json")

    async def feedback(self, request: Request) -> Response:
        """Log what a person found of an inspected part."""
        self._check_token(request)
        line = self._line(request)
        classes = line.served().inspector.card.line
        found = await feedback.add_feedback(request, line.log(), classes)
        return JSONResponse(found.model_dump(), 201)

    async def part(self, request: Request) -> Response:
        """Every verdict on a part, and what people said of it."""
        self._check_token(request)
        log = self._line(request).log()
        found = await feedback.trace(log, request.path_params["part_id"])
        return Response(found.model_dump_json(), media_type="application/json")

    async def model(self, request: Request) -> Response:
        """The card of the release that serves, byte by byte as it was promoted."""
        self._check_token(request)
        served = self._line(request).served()
        return Response(served.card_json, media_type="application/json")

    async def lines(self, request: Request) -> Response:
        """The lines, each with its champion and whether it is ready."""
        self._check_token(request)
        found = LinesAnswer(lines=[line.state() for line in self._lines])
        return Response(found.model_dump_json(), media_type="application/json")

    async def openapi(self, _: Request) -> Response:
        """What this service speaks."""
        return JSONResponse(specification())

    async def alive(self, _: Request) -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    async def ready(self, _: Request) -> Response:
        """Whether parts can be inspected, by which release, and what is wrong with a newer one.

        Of several lines one is enough: a line without a release takes no other out of service.
        """
        root, *others = [line.state() for line in self._lines]
        told = {"name", "path"}
        body = root.model_dump(exclude=told)
        if others:
            body["lines"] = {one.name: one.model_dump(exclude=told) for one in others}
            body["ready"] = self._lines.are_followed and any(
                one.ready for one in (root, *others)
            )
        return JSONResponse(body, 200 if body["ready"] else 503)

    async def metrics(self, request: Request) -> Response:
        """What was counted, for Prometheus."""
        self._check_token(request)
        text = self._counts.page(
            metrics.of_champions(
                {one.name: one.champion.state() for one in self._lines}
            ),
            metrics.of_recorders({one.name: one.log_state() for one in self._lines}),
        )
        return Response(text, media_type=metrics.CONTENT_TYPE)

    async def refused(self, _: Request, error: Exception) -> Response:
        """The answer to what is turned down."""
        assert isinstance(error, RefusedError)
        self._counts.count_refusal(error.code)
        return JSONResponse(error.as_json(), error.status, error.headers())

    def _line(self, request: Request) -> LineAtWork:
        """The line that the path names. Raises RefusedError where there is none of its name."""
        return self._lines.named(request.path_params.get(LINE))

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
    champion: Serving,
    *,
    tokens: Sequence[str] = (),
    hosts: Sequence[str] = (),
    recorder: Recorder | None = None,
    max_waiting: int = MAX_WAITING,
) -> ASGIApp:
    """As `create_plant_app`, of one line; without a `recorder` no verdict is logged."""
    lines = Lines(LineAtWork("", champion, recorder))
    return create_plant_app(lines, tokens=tokens, hosts=hosts, max_waiting=max_waiting)


def create_plant_app(
    lines: Lines,
    *,
    tokens: Sequence[str] = (),
    hosts: Sequence[str] = (),
    max_waiting: int = MAX_WAITING,
) -> ASGIApp:
    """The app that answers every request.

    Browsers reach it by an address, a name without a dot, or one of `hosts`; with `tokens` by any.
    """
    counts = Metrics()
    api = Api(lines, tokens, counts, max_waiting)
    routes = [
        *_of_a_line("", api),
        *_of_a_line(f"/lines/{{{LINE}}}", api),
        Route("/lines", api.lines),
        Route("/openapi.json", api.openapi),
        Route("/healthz", api.alive),
        Route("/livez", api.alive),
        Route("/readyz", api.ready),
        Route("/metrics", api.metrics),
        *page.routes(),
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
    gate = Gate(app, counts, None if tokens else hosts)
    return Observing(Lingering(gate), routes, counts)


def _of_a_line(path: str, api: Api) -> list[Route]:
    """The routes that each line has, below a path."""
    return [
        Route(f"{path}/inspect", api.inspect, methods=["POST"]),
        Route(f"{path}/feedback", api.feedback, methods=["POST"]),
        Route(f"{path}/parts/{{part_id:path}}", api.part),
        Route(f"{path}/model", api.model),
    ]


def _flags(request: Request, *names: str) -> list[bool]:
    """The parameters of these names, each true or false, and false where it is not given."""
    query = dict(request.query_params)
    values = [query.pop(name, "false").lower() for name in names]
    if query:
        raise RefusedError(
            400,
            "unknown_parameter",
            f"{min(query)[:80]!r}: is no parameter; try {names[0]}=true",
        )

    for name, value in zip(names, values, strict=True):
        if value not in ("true", "false"):
            raise RefusedError(
                400,
                "bad_parameter",
                f"{name}: should be true or false, got {value[:80]!r}",
            )
    return [value == "true" for value in values]


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
