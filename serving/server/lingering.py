"""Lets a client that is still uploading read why its upload was refused.

A server that answers and closes while bytes still come in makes the kernel send a reset, and the
client then sees a broken connection in place of the answer.
"""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A sender in a plant's network is done with what lies in its buffers within a second.
DRAIN_S = 5.0


class Lingering:
    """ASGI middleware: after an early answer it discards what still comes in, for a while."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        names = {name for name, _ in scope["headers"]}
        unread = bool(names & {b"content-length", b"transfer-encoding"})

        async def receive_and_note() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get(
                "more_body", False
            )
            return message

        async def send_and_drain(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get(
                "more_body", False
            )
            if not (last and unread):
                await send(message)
                return
            await send({**message, "more_body": True})
            with anyio.move_on_after(DRAIN_S):
                while unread:
                    await receive_and_note()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self.app(scope, receive_and_note, send_and_drain)
