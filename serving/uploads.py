"""From a request to the views of a part: multipart read in one pass, against hard limits.

Nothing here is fetched, opened or written to disk: a view is the bytes of an uploaded file.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

import anyio
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from inspection.runtime.views import View
from serving.refusals import RefusedError

FIELD = "views"
MAX_VIEWS = 16
MAX_FILE_BYTES = 32 * 2**20
MAX_BODY_BYTES = 128 * 2**20
MAX_HELD_BYTES = 512 * 2**20
READ_TIMEOUT_S = 30.0
MAX_NAME_CHARACTERS = 200


class Budget:
    """How many bytes all requests together may hold in memory."""

    def __init__(self, n_bytes: int = MAX_HELD_BYTES) -> None:
        self._left = n_bytes

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes bytes for one request; they are given back at the end."""
        taken = 0

        def take(n_bytes: int) -> None:
            nonlocal taken
            if n_bytes > self._left:
                raise RefusedError(
                    429, "busy", "too much is being inspected; try again in a second"
                )
            self._left -= n_bytes
            taken += n_bytes

        try:
            yield take
        finally:
            self._left += taken


class _Parser(MultiPartParser):
    """Keeps files in memory, and refuses a form that ends before its last boundary."""

    spool_max_size = MAX_BODY_BYTES
    ended = False

    def on_end(self) -> None:
        self.ended = True

    async def to_the_end(
        self, stream: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The chunks of a stream; raises where the form has not ended with the last of them."""
        async for chunk in stream:
            yield chunk
        if not self.ended:
            raise MultiPartException("it ends before its last boundary")


async def read_views(request: Request, take: Callable[[int], None]) -> list[View]:
    """The views that a request carries, in their order. Raises RefusedError.

    `take` is told of each byte that is held.
    """
    _check_headers(request)
    try:
        with anyio.fail_after(READ_TIMEOUT_S):
            form = await _parse(request, take)
    except TimeoutError as error:
        raise RefusedError(
            408,
            "too_slow",
            f"the body took over {READ_TIMEOUT_S:.0f} s; send it faster",
        ) from error
    try:
        files = _files(form)
        return [
            View(name, await file.read())
            for name, file in zip(_names(files), files, strict=True)
        ]
    finally:
        await form.close()


def _check_headers(request: Request) -> None:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        got = kind.decode("latin-1")[:80]
        raise RefusedError(
            415, "not_multipart", f"content-type: got {got!r}; send multipart/form-data"
        )
    if options.get(b"charset", b"utf-8").lower() != b"utf-8":
        raise RefusedError(
            415, "not_utf8", "content-type: names are read as UTF-8; drop the charset"
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise _too_large(f"{length} bytes")


async def _parse(request: Request, take: Callable[[int], None]) -> FormData:
    stream = _limited(request, take)
    parser = _Parser(request.headers, stream, max_files=MAX_VIEWS, max_fields=MAX_VIEWS)
    parser.stream = parser.to_the_end(stream)
    try:
        return await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise _too_many() from error
        raise RefusedError(
            400,
            "broken_multipart",
            f"the body cannot be read ({error.message}); send it again",
        ) from error


async def _limited(
    request: Request, take: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    n_bytes = 0
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > MAX_BODY_BYTES:
            raise _too_large(f"more than {MAX_BODY_BYTES} bytes")
        take(len(chunk))
        yield chunk


def _files(form: FormData) -> list[UploadFile]:
    unknown = sorted({name for name in form if name != FIELD})
    if unknown:
        raise RefusedError(
            400,
            "unknown_field",
            f"{unknown[0][:80]!r}: is no field; send files as {FIELD!r}",
        )
    values = form.getlist(FIELD)
    files = [value for value in values if isinstance(value, UploadFile)]
    if not values:
        raise RefusedError(
            400, "no_views", f"{FIELD!r}: no file; send at least one view of the part"
        )
    if len(files) < len(values):
        raise RefusedError(
            400,
            "not_a_file",
            f"{FIELD!r}: got text; upload the file itself, nothing is fetched",
        )
    for file in files:
        if (file.size or 0) > MAX_FILE_BYTES:
            raise _too_large(f"{file.filename!r} has {file.size} bytes")
    return files


def _names(files: list[UploadFile]) -> list[str]:
    """A name for each view, each different from the others, and none that JSON cannot hold."""
    names: list[str] = []
    for number, file in enumerate(files, start=1):
        name = (file.filename or f"view {number}")[:MAX_NAME_CHARACTERS]
        while name in names:
            name = f"{name} ({number})"
        names.append(name)
    return names


def _too_large(found: str) -> RefusedError:
    return RefusedError(
        413,
        "too_large",
        f"{found}; send files of up to {MAX_FILE_BYTES} bytes, {MAX_BODY_BYTES} in all",
    )


def _too_many() -> RefusedError:
    return RefusedError(
        413,
        "too_many_views",
        f"more than {MAX_VIEWS} views; send them as several parts",
    )
