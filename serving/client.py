"""A client of the service, sync and async: parts in, typed verdicts out.

    with Client("http://127.0.0.1:3000") as client:
        answer = client.inspect([Path("a.jpg"), Path("b.jpg")], part_id="A-17")
        print(answer.verdict, answer.label)

A service that is busy says when to come again; the client does so, a few times.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import anyio
import httpx
from pydantic import BaseModel

from serving.answers import LotAnswer, PartAnswer
from serving.feedback import FeedbackAnswer, TraceAnswer
from serving.plant.answers import LinesAnswer

Answer = TypeVar("Answer", bound=BaseModel)
View = Path | tuple[str, bytes]

# Somewhat more than the service gives a request (60 s), so that it is the service that says why.
TIMEOUT_S = 75.0
# A full queue is empty after a second; who is refused five times meets a service that is too small.
N_TRIES = 5


@dataclass(frozen=True)
class Part:
    """One part to inspect: its views, as files or as names with bytes, and what is known of it."""

    views: Sequence[View]
    part_id: str | None = None
    camera: str | None = None
    taken_at: str | None = None


class ServiceError(Exception):
    """The service refused; `status` is HTTP's, `code` one word for programs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True)
class _Call:
    """One request; most are about a line."""

    method: str
    path: str
    options: dict[str, Any]
    of_a_line: bool = True

    def at(self, line: str) -> str:
        """The path, below that of a line where the request is about one."""
        return line + self.path if self.of_a_line else self.path


LINES = _Call("GET", "/lines", {}, of_a_line=False)


class Client:
    """The service at an address, and there a line, '' for that in the root.

    Use it in a `with`, and for many requests.
    """

    def __init__(self, address: str, *, token: str = "", line: str = "") -> None:
        self._path = _path_of(line)
        self._http = httpx.Client(
            base_url=address, headers=_headers(token), timeout=TIMEOUT_S
        )

    def inspect(
        self, views: Sequence[View], *, heatmap: bool = False, **about: str
    ) -> PartAnswer:
        """The verdict on one part; `about`: part_id, camera, taken_at. Raises ServiceError."""
        return self._asked(_inspection(Part(views, **about), heatmap), PartAnswer)

    def inspect_lot(self, parts: Sequence[Part]) -> LotAnswer:
        """The verdicts on several parts, in their order."""
        return self._asked(_lot(parts), LotAnswer)

    def give_feedback(
        self, *, label: str, reviewer: str, note: str = "", **of: str
    ) -> FeedbackAnswer:
        """Log what a part really was; `of` is its part_id or request_id."""
        return self._asked(_feedback(label, reviewer, note, of), FeedbackAnswer)

    def trace(self, part_id: str) -> TraceAnswer:
        """Every verdict on a part, and what people said of it."""
        return self._asked(_trace(part_id), TraceAnswer)

    def lines(self) -> LinesAnswer:
        """The lines of the service, each with its champion and whether it is ready."""
        return self._asked(LINES, LinesAnswer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def _asked(self, call: _Call, answer: type[Answer]) -> Answer:
        for tries in range(1, N_TRIES + 1):
            path = call.at(self._path)
            response = self._http.request(call.method, path, **call.options)
            wait_s = _wait_s(response)
            if wait_s is None or tries == N_TRIES:
                break
            time.sleep(wait_s)
        return _read(response, answer)


class AsyncClient:
    """As Client, for programs that wait for many things. Use it in an `async with`."""

    def __init__(self, address: str, *, token: str = "", line: str = "") -> None:
        self._path = _path_of(line)
        self._http = httpx.AsyncClient(
            base_url=address, headers=_headers(token), timeout=TIMEOUT_S
        )

    async def inspect(
        self, views: Sequence[View], *, heatmap: bool = False, **about: str
    ) -> PartAnswer:
        """The verdict on one part; `about`: part_id, camera, taken_at. Raises ServiceError."""
        return await self._asked(_inspection(Part(views, **about), heatmap), PartAnswer)

    async def inspect_lot(self, parts: Sequence[Part]) -> LotAnswer:
        """The verdicts on several parts, in their order."""
        return await self._asked(_lot(parts), LotAnswer)

    async def give_feedback(
        self, *, label: str, reviewer: str, note: str = "", **of: str
    ) -> FeedbackAnswer:
        """Log what a part really was; `of` is its part_id or request_id."""
        return await self._asked(_feedback(label, reviewer, note, of), FeedbackAnswer)

    async def trace(self, part_id: str) -> TraceAnswer:
        """Every verdict on a part, and what people said of it."""
        return await self._asked(_trace(part_id), TraceAnswer)

    async def lines(self) -> LinesAnswer:
        """The lines of the service, each with its champion and whether it is ready."""
        return await self._asked(LINES, LinesAnswer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def _asked(self, call: _Call, answer: type[Answer]) -> Answer:
        for tries in range(1, N_TRIES + 1):
            path = call.at(self._path)
            response = await self._http.request(call.method, path, **call.options)
            wait_s = _wait_s(response)
            if wait_s is None or tries == N_TRIES:
                break
            await anyio.sleep(wait_s)
        return _read(response, answer)


def _path_of(line: str) -> str:
    return f"/lines/{quote(line, safe='')}" if line else ""


def _inspection(part: Part, heatmap: bool) -> _Call:
    query = {"heatmap": "true"} if heatmap else {}
    return _Call("POST", "/inspect", {"files": _fields(part), "params": query})


def _lot(parts: Sequence[Part]) -> _Call:
    unnamed = [number for number, part in enumerate(parts) if not part.part_id]
    if unnamed:
        raise ValueError(
            f"parts: number {unnamed[0]} has no part_id; in a lot each begins with its id"
        )
    fields = [field for part in parts for field in _fields(part)]
    return _Call("POST", "/inspect", {"files": fields, "params": {"lot": "true"}})


def _feedback(label: str, reviewer: str, note: str, of: dict[str, str]) -> _Call:
    said = {"label": label, "reviewer": reviewer, "note": note, **of}
    return _Call("POST", "/feedback", {"json": said})


def _trace(part_id: str) -> _Call:
    return _Call("GET", f"/parts/{quote(part_id, safe='')}", {})


def _fields(part: Part) -> list[tuple[str, Any]]:
    """The fields of a form: texts first, for a part_id begins a part of a lot."""
    texts = {
        "part_id": part.part_id,
        "camera": part.camera,
        "taken_at": part.taken_at,
    }
    fields: list[tuple[str, Any]] = [
        (name, (None, text)) for name, text in texts.items() if text is not None
    ]
    for view in part.views:
        named = (view.name, view.read_bytes()) if isinstance(view, Path) else view
        fields.append(("views", named))
    return fields


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def _wait_s(response: httpx.Response) -> float | None:
    """How long a busy service asks to wait; None where it has answered."""
    if response.status_code != 429:
        return None
    return float(response.headers.get("retry-after", "1"))


def _read(response: httpx.Response, answer: type[Answer]) -> Answer:
    if response.is_success:
        # a newer service adds keys, also to what the verdict log itself is strict about
        return answer.model_validate_json(response.content, extra="ignore")
    error = response.json()["error"]
    raise ServiceError(response.status_code, error["code"], error["message"])
