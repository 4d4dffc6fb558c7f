"""Limits to request bodies, by `Content-Length` before a byte is read and by counting while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.api.problems import Problem
from shared.web.http.exception_handlers import error_response

BodyLimitPolicy = Callable[[str, str], int]
"""Returns the largest body in bytes for a method and a path."""

MAX_JSON_BODY_BYTES = 256 * 1024
"""Limit for requests without files."""
MAX_UNREAD_BYTES = 64 * 1024
"""An unread rest of a body up to this size does not cost the connection."""
LINGER_IDLE_SECONDS, LINGER_MAX_SECONDS = 2.0, 5.0
"""How long the rest of a refused body is read and dropped, so that the client sees the response and not a reset."""
INCOMPLETE_BODY = "Kiriman ini terputus sebelum semuanya sampai. Silakan kirim kembali."
IDLE_TIMEOUT_SECONDS = 60.0
"""Pause in a body after which the request is refused."""


class BodyLimitMiddleware:
    """Answers 413 at once if the declared size is too large, or as soon as too much was received."""

    def __init__(self, app: ASGIApp, limit_for: BodyLimitPolicy, idle_timeout: float = IDLE_TIMEOUT_SECONDS) -> None:
        self.app, self._limit_of, self._idle_timeout = app, limit_for, idle_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = declared_content_length(scope) if scope["type"] == "http" else 0
        if declared == 0:
            await self.app(scope, receive, send)
            return
        body = _LimitedBody(receive, send, declared, self._limit_of(scope["method"], scope["path"]), self._idle_timeout)
        if body.exceeds_limit_by_header:
            await error_response(scope, body_too_large(body.limit))(scope, body.receive, body.send)
        else:
            await self.app(scope, body.receive, body.send)


def body_too_large(limit: int) -> Problem:
    size = f"{limit / 1024**2:.0f} MiB" if limit >= 1024**2 else f"{limit / 1024:.0f} KiB"
    return Problem(413, f"Kiriman ini melebihi batas {size}. Kecilkan atau kurangi berkasnya, lalu kirim kembali.")


class _LimitedBody:
    """The body of one request, counted as it is received, and the response to it while part of the body is unread."""

    def __init__(self, receive: Receive, send: Send, declared: int | None, limit: int, idle_timeout: float) -> None:
        self._receive_from_client = receive
        self._send_to_client = send
        self._declared = declared
        self.limit = limit
        self._idle_timeout = idle_timeout
        self._received_bytes = 0
        self._complete = False
        self._closing = False

    @property
    def exceeds_limit_by_header(self) -> bool:
        return self._declared is not None and self._declared > self.limit

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive_from_client()
        try:
            async with asyncio.timeout(self._idle_timeout):
                message = await self._receive_from_client()
        except TimeoutError as error:
            raise Problem(408, "Kiriman terputus di tengah jalan. Silakan kirim kembali.") from error
        self._complete = not message.get("more_body", False)
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self.limit:
            raise body_too_large(self.limit)
        if self._complete and message["type"] == "http.request" and self._received_bytes < (self._declared or 0):
            raise Problem(400, INCOMPLETE_BODY)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._leaves_much_unread():
            self._closing = True
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        if self._closing and message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._send_to_client({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send_to_client(message)

    def _leaves_much_unread(self) -> bool:
        return not self._complete and (
            self._declared is None or self._declared - self._received_bytes > MAX_UNREAD_BYTES
        )

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(LINGER_MAX_SECONDS):
                while not self._complete:
                    async with asyncio.timeout(LINGER_IDLE_SECONDS):
                        self._complete = not (await self._receive_from_client()).get("more_body", False)
        except TimeoutError:
            return


def declared_content_length(scope: Scope) -> int | None:
    """The size of the body by its header: 0 without a body, None if it is chunked."""
    declared: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            return None
    return declared
