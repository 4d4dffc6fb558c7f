"""What both floors are made of: just enough of the API for `bench.load`, under the same server settings as ours.

A floor checks nobody and nothing. The two differ in how they take a body and make it durable.
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
"""As shared.web.http.server has them."""


class Baseline(ABC):
    """The ASGI application; its data goes to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    @abstractmethod
    def open(self) -> None:
        """Make the database ready, once the event loop runs."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    async def parse_body(self, scope: Message, receive: Receive) -> Any:
        """The body as something to write as JSON, its files stored under their final names."""

    @abstractmethod
    async def write(self, path: str, body: str) -> None:
        """Return when the command is durable."""

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
        about = {"id": request, "number": number, "status": "", "version": 1}
        return {**about, "tracking_token": request, "token": request}


async def _send_json(send: Send, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(create_baseline: Callable[[Path], Baseline]) -> None:
    """From the command line: --port and --data."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--data", type=Path, required=True)
    options = arguments.parse_args()
    uvicorn.run(create_baseline(options.data), host="127.0.0.1", port=options.port, **SERVER)
