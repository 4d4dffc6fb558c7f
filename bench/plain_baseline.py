"""The plain baseline, written in the usual way and not tuned.

The framework reads the form, each file is hashed and stored durably in a thread, and each command is a separate commit.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
from starlette.datastructures import UploadFile
from starlette.requests import Request

from bench.baseline import Baseline, Message, Receive, serve


class PlainBaseline(Baseline):
    def open(self) -> None:
        self._connection = apsw.Connection(str(self.folder / "baseline.db"))
        for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            self._connection.execute(pragma).fetchall()
        self._connection.execute("CREATE TABLE command (position INTEGER PRIMARY KEY, request TEXT, body TEXT)")
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="baseline-writer")

    def close(self) -> None:
        self._writer.shutdown()
        self._connection.close()

    async def parse_body(self, scope: Message, receive: Receive) -> Any:
        request = Request(scope, receive)
        if not request.headers.get("content-type", "").startswith("multipart/"):
            return await request.json() if await request.body() else {}
        async with request.form() as form:
            return [{"field": name, **await self._describe(value)} for name, value in form.multi_items()]

    async def write(self, path: str, body: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, self._commit, path, body)

    async def _describe(self, value: UploadFile | str) -> dict[str, Any]:
        if isinstance(value, str):
            return {"text": value}
        content = await value.read()
        return await asyncio.to_thread(store_file, self.folder, content)

    def _commit(self, path: str, body: str) -> None:
        with self._connection:
            self._connection.execute("INSERT INTO command (request, body) VALUES (?, ?)", (path, body))


def store_file(folder: Path, content: bytes) -> dict[str, Any]:
    """Hash the file and make it and its directory entry durable; blocking."""
    key = secrets.token_hex(16)
    temporary = folder / f"{key}.part"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / key)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return {"key": key, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


if __name__ == "__main__":
    serve(PlainBaseline)
