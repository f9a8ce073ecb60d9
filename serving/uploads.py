"""From a request to the parts in it: multipart read in one pass, against hard limits.

Nothing here is fetched, opened or written to disk: a view is the bytes of an uploaded file.
"""

from collections.abc import AsyncGenerator

import anyio
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from serving.budget import Take
from serving.forms import (
    MAX_FILE_BYTES,
    MAX_LOT_VIEWS,
    MAX_VIEWS,
    TEXTS,
    PartUpload,
    parts_of,
    too_many_views,
)
from serving.refusals import RefusedError

# Four of the largest files, or 64 views of a lot at 2 MB each.
MAX_BODY_BYTES = 128 * 2**20
# 128 MiB in 30 s are 36 Mbit/s: a third of the slowest Ethernet on a factory floor.
READ_TIMEOUT_S = 30.0
# Four times the longest text that is accepted, for characters of four bytes.
MAX_TEXT_BYTES = 2**10
# A file is held as it came, and once more as the view that is made of it.
COPIES = 2


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


async def read_parts(request: Request, take: Take, *, lot: bool) -> list[PartUpload]:
    """The parts that a request carries, in their order. Raises RefusedError.

    `take` is told of each byte that is held.
    """
    _check_headers(request)
    try:
        with anyio.fail_after(READ_TIMEOUT_S):
            form = await _parse(request, take, MAX_LOT_VIEWS if lot else MAX_VIEWS)
    except TimeoutError as error:
        raise RefusedError(
            408,
            "too_slow",
            f"the body took over {READ_TIMEOUT_S:.0f} s; send it faster",
        ) from error

    try:
        return await parts_of(form, lot=lot)
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


async def _parse(request: Request, take: Take, max_files: int) -> FormData:
    stream = _limited(request, take)
    parser = _Parser(
        request.headers,
        stream,
        max_files=max_files,
        max_fields=max_files * len(TEXTS),
        # a text is an identifier; a longer one is refused by its own rule
        max_part_size=MAX_TEXT_BYTES,
    )
    parser.stream = parser.to_the_end(stream)
    try:
        return await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise too_many_views() from error
        raise RefusedError(
            400,
            "broken_multipart",
            f"the body cannot be read ({error.message}); send it again",
        ) from error


async def _limited(request: Request, take: Take) -> AsyncGenerator[bytes, None]:
    n_bytes = 0
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > MAX_BODY_BYTES:
            raise _too_large(f"more than {MAX_BODY_BYTES} bytes")
        take(COPIES * len(chunk))
        yield chunk


def _too_large(found: str) -> RefusedError:
    return RefusedError(
        413,
        "too_large",
        f"{found}; send files of up to {MAX_FILE_BYTES} bytes, {MAX_BODY_BYTES} in all",
    )
