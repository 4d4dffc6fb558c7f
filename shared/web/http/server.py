"""The HTTP server: uvicorn with connection limits and a graceful shutdown."""

from __future__ import annotations

import errno
import gc
import importlib.util
import socket
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI

from shared import interrupts
from shared.settings import Settings
from shared.web.http.client_address import parse_proxies
from shared.web.http.connections import ConnectionRegistry, descriptor_limit, raise_descriptor_limit
from shared.web.http.protocol import TimeLimitedHttpProtocol

if TYPE_CHECKING:
    from shared.backends.platform import Platform

GRACEFUL_SHUTDOWN_SECONDS = 20
"""How long requests in progress may take to finish after the first signal."""
SHUTDOWN_DEADLINE_SECONDS = 55.0
"""More than requests, batches and outboxes together may take; then the process exits and the next start recovers the rest."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
ACCEPT_BATCH_SIZE = 16
"""Connections accepted per event loop iteration; asyncio also retries and logs that often when it runs out of descriptors."""
GC_THRESHOLD = 10_000
"""Net allocations of container objects that trigger a collection of the youngest generation."""
_ADDRESS_UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class SimpulServer(uvicorn.Server):
    """A server that ends live streams and stops being ready before it shuts down."""

    is_worker = False
    """Whether a supervisor ends this process at once if it has to."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # uvicorn's `backlog` option sets both the queue and the accepted batch

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down gracefully on the first signal; exit at once on the second, or before startup has finished.

        A worker ignores the second: a service manager signals all processes, and the supervisor its workers.
        """
        if not self.started or (self.should_exit and not self.is_worker):
            interrupts.exit_now(128 + sig)
        if self.should_exit:
            return
        interrupts.exit_after(SHUTDOWN_DEADLINE_SECONDS, 128 + sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        streams = getattr(self.config.app.state, "streams", None) if isinstance(self.config.app, FastAPI) else None
        if streams is not None:
            streams.close()
        await super().shutdown(sockets)


def create_server(app: FastAPI, **options: Any) -> SimpulServer:
    """Create a server for the application; `options` override our defaults for `uvicorn.Config`."""
    platform: Platform | None = getattr(app.state, "platform", None)
    defaults: dict[str, Any] = {
        "loop": "uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        "http": partial(TimeLimitedHttpProtocol, connections=_connection_registry(platform)),
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
    server = SimpulServer(uvicorn.Config(app, **{**defaults, **options}))
    server.is_worker = platform is not None and platform.workers.size > 1
    return server


def _connection_registry(platform: Platform | None) -> ConnectionRegistry:
    settings = platform.settings if platform else Settings()
    return ConnectionRegistry(
        settings.connections_per_address,
        descriptor_limit(),
        parse_proxies(settings.trusted_proxies),
        platform.workers.held if platform else None,
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind the port at every address of the host.

    Raises: OSError if the port is in use, or if no address belongs to this machine.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound_sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(addresses):
        try:
            bound_sockets.append(_bind(socket.socket(family, kind, protocol), address))
        except OSError as error:
            # "localhost" often resolves to two addresses, and a machine without IPv6 has only one of them.
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
    """Serve until a signal arrives; return False if startup failed, for which the log has the reason."""
    raise_descriptor_limit()
    server = create_server(app)
    _tune_garbage_collector()
    server.run(sockets=sockets)
    return server.started


def _tune_garbage_collector() -> None:
    """Exclude the loaded modules from collections and collect less often: requests leave few reference cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
