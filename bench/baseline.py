"""The common part of both baselines: just enough of the API for `bench.load`, under the same server settings as Simpul.

A baseline checks nothing. The two differ in how they read a body and make it durable.
"""

from __future__ import annotations

import argparse
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SERVER: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
    "lifespan": "on",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "timeout_keep_alive": 30,
}
"""The settings of shared.web.http.server."""


class Baseline(ABC):
    """The ASGI application; it stores its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    @abstractmethod
    def open(self) -> None:
        """Open the database, in the running event loop."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    async def parse_body(self, scope: Message, receive: Receive) -> Any:
        """Read the body as JSON and store its files durably."""

    @abstractmethod
    async def write(self, path: str, body: str) -> None:
        """Store the command durably."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["method"] == "GET":
            await _send_json(send, {"status": "ready"})
        else:
            await self.write(scope["path"], json.dumps(await self.parse_body(scope, receive)))
            await _send_json(send, self._response_body())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _response_body(self) -> dict[str, Any]:
        request = secrets.token_hex(16)
        self._count += 1
        number = f"INT-2026-{self._count:06d}"
        content = {"id": request, "number": number, "status": "", "version": 1}
        return {**content, "tracking_token": request, "token": request}


async def _send_json(send: Send, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(create_baseline: Callable[[Path], Baseline]) -> None:
    """Serve the baseline with the options --port and --data."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--data", type=Path, required=True)
    options = arguments.parse_args()
    uvicorn.run(create_baseline(options.data), host="127.0.0.1", port=options.port, **SERVER)
