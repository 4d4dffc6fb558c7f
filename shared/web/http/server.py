"""The HTTP server: what it accepts of strangers, and how it stops without cutting anybody off."""

from __future__ import annotations

import errno
import gc
import importlib.util
import socket
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from shared import interrupts
from shared.settings import Settings
from shared.web.http.client_address import parse_proxies
from shared.web.http.connections import ConnectionRegistry, descriptor_limit, raise_descriptor_limit
from shared.web.http.protocol import TimeLimitedHttpProtocol

GRACEFUL_SHUTDOWN_SECONDS = 20
"""Seconds that requests in hand are given to finish."""
SHUTDOWN_DEADLINE_SECONDS = 55.0
"""Longer than requests, batches and outboxes are given together; then the process ends with what it left to the next start."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
ACCEPT_BATCH_SIZE = 16
"""Connections taken from the queue before the next look at what else there is to do; asyncio goes on trying as often when it
has run out of descriptors, and reports each time."""
GC_THRESHOLD = 10_000
"""Objects made and not let go of, after which the young ones are looked through for cycles."""
_ADDRESS_UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class SimpulServer(uvicorn.Server):
    """Says that it is about to stop before it does: not ready any more, and live streams end."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # what was accepted at once has become the length of the queue

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets requests in hand finish; before the start, and for the second, there is nothing to wait for."""
        if self.should_exit or not self.started:
            interrupts.exit_now(128 + sig)
        interrupts.exit_after(SHUTDOWN_DEADLINE_SECONDS, 128 + sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        streams = getattr(self.config.app.state, "streams", None) if isinstance(self.config.app, FastAPI) else None
        if streams is not None:
            streams.close()
        await super().shutdown(sockets)


def create_server(app: FastAPI, **options: Any) -> SimpulServer:
    """A server for this application; `options` are uvicorn's and override ours."""
    defaults: dict[str, Any] = {
        "loop": "uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        "http": partial(TimeLimitedHttpProtocol, connections=_connection_registry(app)),
        "backlog": ACCEPT_BATCH_SIZE,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACEFUL_SHUTDOWN_SECONDS,
    }
    return SimpulServer(uvicorn.Config(app, **{**defaults, **options}))


def _connection_registry(app: FastAPI) -> ConnectionRegistry:
    platform = getattr(app.state, "platform", None)
    settings = platform.settings if platform else Settings()
    return ConnectionRegistry(
        settings.connections_per_address, descriptor_limit(), parse_proxies(settings.trusted_proxies)
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """Take the port at every address of the host. Raises OSError if it is taken, or if none of them is ours."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound_sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(addresses):
        try:
            bound_sockets.append(_bind(socket.socket(family, kind, protocol), address))
        except OSError as error:
            # "localhost" is often two addresses, of which a machine without IPv6 has one.
            if error.errno not in _ADDRESS_UNAVAILABLE or (not bound_sockets and address == addresses[-1][4]):
                for bound_socket in bound_sockets:
                    bound_socket.close()
                raise
    return bound_sockets


def _bind(listener: socket.socket, address: Any) -> socket.socket:
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
    raise_descriptor_limit()
    server = create_server(app)
    _tune_garbage_collector()
    server.run(sockets=sockets)
    return server.started


def _tune_garbage_collector() -> None:
    """What is loaded by now stays for good, and what a request leaves behind goes by itself: cycles are few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
