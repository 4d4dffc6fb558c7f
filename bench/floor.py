"""The least that could take the same requests: parse, hash and store the files, one durable write per command.

It speaks just enough of the API for `bench.load`, under the same server settings as ours; it checks nobody and nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import queue
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import apsw
import uvicorn
from python_multipart.multipart import MultipartParser, parse_options_header

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Row = tuple[str, str, asyncio.Future[None]]

GROUP = 64
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
"""As shared.web.server has them."""


class GroupedWriter:
    """One thread that commits every waiting row in one transaction (WAL, synchronous=FULL)."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path, self._loop = path, loop
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="floor-writer", daemon=True)
        self._thread.start()

    async def write(self, request: str, body: str) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._rows.put((request, body, done))
        await done

    def close(self) -> None:
        self._rows.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = apsw.Connection(str(self._path))
        for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            connection.execute(pragma).fetchall()
        connection.execute("CREATE TABLE command (position INTEGER PRIMARY KEY, request TEXT, body TEXT)")
        while (first := self._rows.get()) is not None:
            group = [first, *self._waiting()]
            with connection:
                connection.executemany(
                    "INSERT INTO command (request, body) VALUES (?, ?)",
                    [(row[0], row[1]) for row in group],
                )
            self._loop.call_soon_threadsafe(_resolve, group)
        connection.close()

    def _waiting(self) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < GROUP - 1:
            try:
                row = self._rows.get_nowait()
            except queue.Empty:
                break
            if row is None:
                self._rows.put(None)
                break
            rows.append(row)
        return rows


def _resolve(group: list[Row]) -> None:
    for _, _, done in group:
        if not done.done():
            done.set_result(None)


@dataclass
class Part:
    """One part of a form: a short text kept in memory, or a file that goes to a temporary name while it is hashed."""

    folder: Path
    disposition: bytes = b""
    file: BinaryIO | None = None
    digest: Any = None
    size: int = 0
    text: bytearray = field(default_factory=bytearray)

    def begin(self) -> None:
        if b"filename" in self.disposition:
            self.file = (self.folder / f"{secrets.token_hex(16)}.part").open("wb", buffering=0)
            self.digest = hashlib.sha256()

    def take(self, data: bytes) -> None:
        self.size += len(data)
        if self.file is None:
            self.text += data
            return
        self.digest.update(data)
        self.file.write(data)

    def store(self) -> None:
        """Make the file durable and give it its final name; blocking."""
        if self.file is None:
            return
        os.fsync(self.file.fileno())
        self.file.close()
        temporary = Path(self.file.name)
        temporary.rename(temporary.with_suffix(""))

    def described(self) -> dict[str, Any]:
        _, options = parse_options_header(self.disposition)
        name = options.get(b"name", b"").decode()
        if self.file is None:
            return {"field": name, "text": self.text.decode()}
        return {
            "field": name,
            "key": Path(self.file.name).stem,
            "size": self.size,
            "sha256": self.digest.hexdigest(),
        }


class Form:
    """A multipart body, taken as it arrives."""

    def __init__(self, folder: Path, content_type: str) -> None:
        self.parts: list[Part] = []
        self._folder = folder
        self._header = b""
        _, options = parse_options_header(content_type)
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": lambda: self.parts.append(Part(self._folder)),
                "on_header_field": lambda data, start, end: self._named(data[start:end]),
                "on_header_value": lambda data, start, end: self._valued(data[start:end]),
                "on_headers_finished": lambda: self.parts[-1].begin(),
                "on_part_data": lambda data, start, end: self.parts[-1].take(data[start:end]),
            },
        )

    def _named(self, name: bytes) -> None:
        self._header = name.lower()

    def _valued(self, value: bytes) -> None:
        if self._header == b"content-disposition":
            self.parts[-1].disposition += value

    async def take(self, pieces: AsyncIterator[bytes]) -> list[dict[str, Any]]:
        async for piece in pieces:
            self._parser.write(piece)
        self._parser.finalize()
        await asyncio.gather(*(asyncio.to_thread(part.store) for part in self.parts if part.file))
        return [part.described() for part in self.parts]


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


class Floor:
    """The ASGI application; its data goes to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: GroupedWriter | None = None
        self._count = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["method"] == "GET":
            await _answer(send, {"status": "ready"})
        else:
            await self._command(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = GroupedWriter(self._folder / "floor.db", asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._writer.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _command(self, scope: Message, receive: Receive, send: Send) -> None:
        content_type = next(
            (v.decode("latin-1") for k, v in scope["headers"] if k == b"content-type"),
            "",
        )
        body: Any
        if content_type.startswith("multipart/"):
            body = await Form(self._folder, content_type).take(_pieces(receive))
        else:
            body = json.loads(b"".join([piece async for piece in _pieces(receive)]) or b"{}")
        await self._write(scope["path"], body)
        request = secrets.token_hex(16)
        self._count += 1
        await _answer(
            send,
            {
                "id": request,
                "number": f"INT-2026-{self._count:06d}",
                "status": "",
                "version": 1,
                "tracking_token": request,
                "token": request,
            },
        )

    async def _write(self, path: str, body: Any) -> None:
        if self._writer is None:
            raise RuntimeError("not started")
        await self._writer.write(path, json.dumps(body))


async def _answer(send: Send, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--data", type=Path, required=True)
    options = arguments.parse_args()
    uvicorn.run(Floor(options.data), host="127.0.0.1", port=options.port, **SERVER)


if __name__ == "__main__":
    main()
