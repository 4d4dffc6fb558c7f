"""The HTTP server: what it accepts of strangers, and how it stops without cutting anybody off."""

from __future__ import annotations

import asyncio
import errno
import gc
import importlib.util
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE = 20
"""Seconds that requests in hand are given to finish."""
KEEP_ALIVE = 30
HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
BACKLOG = 2048
GARBAGE = 10_000
"""Objects made and not let go of, after which the young ones are looked through for cycles."""
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class CarefulHttp(HttpToolsProtocol):
    """Bounds the head of a request in size and time; uvicorn bounds neither with this parser."""

    _reading_head, _head_bytes = True, 0
    _too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._too_slow = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_head = True
        if self._too_slow is None:
            self._too_slow = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def on_headers_complete(self) -> None:
        self._head_is_there()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._reading_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._reading_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Request head too large.")

    def _head_is_there(self) -> None:
        self._reading_head, self._head_bytes = False, 0
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _give_up(self) -> None:
        self._too_slow = None
        if not self.transport.is_closing():
            self.transport.close()


class SimpulServer(uvicorn.Server):
    """Says that it is about to stop before it does: not ready any more, and live streams end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        streams = getattr(self.config.app.state, "streams", None) if isinstance(self.config.app, FastAPI) else None
        if streams is not None:
            streams.close()
        await super().shutdown(sockets)


def server_for(app: FastAPI, **options: Any) -> SimpulServer:
    """A server for this application; `options` are uvicorn's and override ours."""
    ours: dict[str, Any] = {
        "loop": "uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        "http": CarefulHttp,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": GRACE,
    }
    return SimpulServer(uvicorn.Config(app, **{**ours, **options}))


def listen(host: str, port: int) -> list[socket.socket]:
    """Take the port at every address of the host. Raises OSError if it is taken, or if none of them is ours."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    taken: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            taken.append(_bound(socket.socket(family, kind, protocol), address))
        except OSError as error:
            # "localhost" is often two addresses, of which a machine without IPv6 has one.
            if error.errno not in _NOT_HERE or (not taken and address == found[-1][4]):
                for each in taken:
                    each.close()
                raise
    return taken


def _bound(listener: socket.socket, address: Any) -> socket.socket:
    try:
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def run_server(app: FastAPI, sockets: list[socket.socket]) -> bool:
    """Serve until told to stop. Returns whether it started at all; the log says why not."""
    server = server_for(app)
    _look_less_for_garbage()
    server.run(sockets=sockets)
    return server.started


def _look_less_for_garbage() -> None:
    """What is loaded by now stays for good, and what a request leaves behind goes by itself: cycles are few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
