"""How much a request may carry: told from its header before a byte is read, and counted while it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.answers import answer_to
from shared.web.problems import Problem

LimitOf = Callable[[str, str], int]
"""The greatest size in bytes of a request with this method and path."""

JSON_LIMIT = 256 * 1024
"""Bytes of a request without files."""
SMALL = 64 * 1024
"""An unread rest up to this size is not worth a closed connection."""
LINGER_IDLE, LINGER_LONGEST = 2.0, 5.0
"""Seconds that the rest of a refused body is read and dropped, so that the sender meets the answer and not a reset."""
INCOMPLETE = "Kiriman ini terputus sebelum semuanya sampai. Silakan kirim kembali."
SILENCE = 60.0
"""Seconds without a byte after which the rest of a body is no longer waited for."""


class BodyLimit:
    """413 at once if the header says too much, or as soon as too much has come."""

    def __init__(self, app: ASGIApp, limit_of: LimitOf, silence: float = SILENCE):
        self.app, self._limit_of, self._silence = app, limit_of, silence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = declared_size(scope) if scope["type"] == "http" else 0
        if declared == 0:
            await self.app(scope, receive, send)
            return
        body = _Body(receive, send, declared, self._limit_of(scope["method"], scope["path"]), self._silence)
        if body.too_much_declared:
            await answer_to(scope, too_large(body.limit))(scope, body.receive, body.send)
        else:
            await self.app(scope, body.receive, body.send)


def too_large(limit: int) -> Problem:
    size = f"{limit / 1024**2:.0f} MiB" if limit >= 1024**2 else f"{limit / 1024:.0f} KiB"
    return Problem(413, f"Kiriman ini melebihi batas {size}. Kecilkan atau kurangi berkasnya, lalu kirim kembali.")


class _Body:
    """One request's body on its way in, and the answer on its way out while part of the body is still to come."""

    def __init__(self, receive: Receive, send: Send, declared: int | None, limit: int, silence: float):
        self._receive, self._send, self._declared, self.limit, self._silence = receive, send, declared, limit, silence
        self._taken, self._whole, self._closing = 0, False, False

    @property
    def too_much_declared(self) -> bool:
        return self._declared is not None and self._declared > self.limit

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._silence):
                message = await self._receive()
        except TimeoutError as error:
            raise Problem(408, "Kiriman terputus di tengah jalan. Silakan kirim kembali.") from error
        self._whole = not message.get("more_body", False)
        self._taken += len(message.get("body", b""))
        if self._taken > self.limit:
            raise too_large(self.limit)
        if self._whole and message["type"] == "http.request" and self._taken < (self._declared or 0):
            raise Problem(400, INCOMPLETE)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._much_unread():
            self._closing = True
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        if self._closing and message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _much_unread(self) -> bool:
        return not self._whole and (self._declared is None or self._declared - self._taken > SMALL)

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(LINGER_LONGEST):
                while not self._whole:
                    async with asyncio.timeout(LINGER_IDLE):
                        self._whole = not (await self._receive()).get("more_body", False)
        except TimeoutError:
            return


def declared_size(scope: Scope) -> int | None:
    """The size that the header tells, 0 if there is no body, None if it comes in chunks."""
    declared: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            return None
    return declared
