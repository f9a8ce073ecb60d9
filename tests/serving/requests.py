"""How tests speak to the service: pictures as form fields, and what a refusal says."""

import struct
import zlib
from typing import Any

import httpx

from serving.api import create_app
from serving.champion import Champion

Files = list[tuple[str, tuple[str, bytes]]]


def as_files(*contents: bytes, field: str = "views") -> Files:
    return [(field, (f"{i}.jpg", content)) for i, content in enumerate(contents)]


def code_of(response: Any) -> str:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    return str(body["error"]["code"])


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pieces = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def async_client(champion: Champion) -> httpx.AsyncClient:
    app = create_app(champion)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
