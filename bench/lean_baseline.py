"""The lean baseline, tuned by hand: the lowest cost of the same work.

Parts are written to files as they arrive, waiting commands share a commit, and the directory is not made durable.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import queue
import secrets
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import apsw
from python_multipart.multipart import MultipartParser, parse_options_header

from bench.baseline import Baseline, Message, Receive, serve

Row = tuple[str, str, asyncio.Future[None]]

MAX_GROUP_SIZE = 64


class GroupedWriter:
    """A thread that commits all waiting rows in one transaction (WAL, synchronous=FULL)."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path, self._loop = path, loop
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="baseline-writer", daemon=True)
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
            group = [first, *self._take_waiting()]
            with connection:
                connection.executemany(
                    "INSERT INTO command (request, body) VALUES (?, ?)",
                    [(row[0], row[1]) for row in group],
                )
            self._loop.call_soon_threadsafe(_resolve, group)
        connection.close()

    def _take_waiting(self) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < MAX_GROUP_SIZE - 1:
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
    """One part of a form: a text in memory, or a file that is hashed while it is written under a temporary name."""

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

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        if self.file is None:
            self.text += data
            return
        self.digest.update(data)
        self.file.write(data)

    def store(self) -> None:
        """Make the file durable and rename it; blocking."""
        if self.file is None:
            return
        os.fsync(self.file.fileno())
        self.file.close()
        temporary = Path(self.file.name)
        temporary.rename(temporary.with_suffix(""))

    def to_dict(self) -> dict[str, Any]:
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


class MultipartForm:
    """A multipart body that is parsed as it arrives."""

    def __init__(self, folder: Path, content_type: str) -> None:
        self.parts: list[Part] = []
        self._folder = folder
        self._header = b""
        _, options = parse_options_header(content_type)
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": lambda: self.parts.append(Part(self._folder)),
                "on_header_field": lambda data, start, end: self._on_header_name(data[start:end]),
                "on_header_value": lambda data, start, end: self._on_header_value(data[start:end]),
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": lambda data, start, end: self.parts[-1].feed(data[start:end]),
            },
        )

    def _on_header_name(self, name: bytes) -> None:
        self._header = name.lower()

    def _on_header_value(self, value: bytes) -> None:
        if self._header == b"content-disposition":
            self.parts[-1].disposition += value

    def _on_headers_finished(self) -> None:
        self.parts[-1].begin()

    async def feed(self, chunks: AsyncIterator[bytes]) -> list[dict[str, Any]]:
        async for chunk in chunks:
            self._parser.write(chunk)
        self._parser.finalize()
        await asyncio.gather(*(asyncio.to_thread(part.store) for part in self.parts if part.file))
        return [part.to_dict() for part in self.parts]


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


class LeanBaseline(Baseline):
    def open(self) -> None:
        self._writer = GroupedWriter(self.folder / "baseline.db", asyncio.get_running_loop())

    def close(self) -> None:
        self._writer.close()

    async def parse_body(self, scope: Message, receive: Receive) -> Any:
        content_type = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"content-type"), "")
        if content_type.startswith("multipart/"):
            return await MultipartForm(self.folder, content_type).feed(_chunks(receive))
        return json.loads(b"".join([chunk async for chunk in _chunks(receive)]) or b"{}")

    async def write(self, path: str, body: str) -> None:
        await self._writer.write(path, body)


if __name__ == "__main__":
    serve(LeanBaseline)
