"""A minimal keep-alive HTTP/1.1 client, so that the load generator takes little CPU from the server."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpul.routing import service_for_path

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
DATE = re.compile(rb"\r\ndate:\s*([^\r]+)", re.IGNORECASE)
BOUNDARY = b"----bench-boundary-7f3a9c"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    head: bytes
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def date(self) -> str:
        found = DATE.search(self.head)
        return found.group(1).decode() if found else ""


@dataclass(frozen=True, slots=True)
class Body:
    """A request body in chunks, so that files are never copied."""

    content_type: bytes
    chunks: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(len(piece) for piece in self.chunks)


def as_json(content: Mapping[str, Any]) -> Body:
    return Body(b"application/json", (json.dumps(content).encode(),))


def as_form(fields: Mapping[str, str], files: Sequence[tuple[str, str, bytes]]) -> Body:
    """A multipart body; a file is (field, name, content) and always a PDF."""
    chunks = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (BOUNDARY, name.encode(), value.encode())
        for name, value in fields.items()
    ]
    for field, name, content in files:
        chunks.append(
            b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: application/pdf\r\n\r\n'
            % (BOUNDARY, field.encode(), name.encode())
        )
        chunks += [content, b"\r\n"]
    chunks.append(b"--%s--\r\n" % BOUNDARY)
    return Body(b"multipart/form-data; boundary=" + BOUNDARY, tuple(chunks))


class Connection:
    """One TCP connection with one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: Body, token: str = "") -> Response:
        head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (
            path.encode(),
            self._port,
        )
        content_headers = b"Content-Type: %s\r\nContent-Length: %d\r\n" % (
            body.content_type,
            body.size,
        )
        key = b"Idempotency-Key: %s\r\n" % secrets.token_hex(16).encode()
        return await self._exchange([head, content_headers, key, _authorization(token), b"\r\n", *body.chunks])

    async def get(self, path: str, token: str = "", *, page: bool = False) -> Response:
        head = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (
            path.encode(),
            self._port,
        )
        return await self._exchange([head, _cookie(token) if page else _authorization(token), b"\r\n"])

    async def _exchange(self, chunks: list[bytes]) -> Response:
        reader, writer = await self._connect()
        writer.writelines(chunks)
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length is None:
            raise ValueError(f"A response without a length: {head[:200]!r}")
        body = await reader.readexactly(int(length.group(1)))
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return Response(int(head[9:12]), head, body)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self._reader, self._writer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Connections:
    """One connection per service; `ports` maps services to ports, or "" to one port for all."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._all = "" in ports
        self._by_service = {name: Connection(port) for name, port in ports.items()}

    async def post(self, path: str, body: Body, token: str = "") -> Response:
        return await self._for_path(path).post(path, body, token)

    async def get(self, path: str, token: str = "", *, page: bool = False) -> Response:
        """Send the token as a program does, or for a page as a browser does."""
        return await self._for_path(path).get(path, token, page=page)

    def close(self) -> None:
        for connection in self._by_service.values():
            connection.close()

    def _for_path(self, path: str) -> Connection:
        return self._by_service["" if self._all else service_for_path(path)]


def _authorization(token: str) -> bytes:
    return b"Authorization: Bearer %s\r\n" % token.encode() if token else b""


def _cookie(token: str) -> bytes:
    return b"Cookie: simpul=%s\r\n" % token.encode() if token else b""
