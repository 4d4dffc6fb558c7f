"""A small gateway that routes by path prefix to several processes per service."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx
import uvicorn

from simpul.routing import service_for_path

Message = dict[str, Any]
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer"})
UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout)


class Gateway:
    """Passes each request to the next process of its service, and to another if it cannot connect."""

    def __init__(self, processes: Mapping[str, Sequence[str]]) -> None:
        self._turns = {name: itertools.cycle(urls) for name, urls in processes.items()}
        self._count = {name: len(urls) for name, urls in processes.items()}
        # A connection is used once: one that a killed process had open must not cost the next request.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(60, connect=2), limits=limits)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        service = service_for_path(scope["path"])
        for _ in range(self._count[service]):
            try:
                await self._pass_on(next(self._turns[service]), scope, receive, send)
            except UNREACHABLE:
                continue
            except httpx.HTTPError:
                break
            return
        with contextlib.suppress(RuntimeError):
            await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _pass_on(self, to: str, scope: Message, receive: Any, send: Any) -> None:
        url = httpx.URL(to).copy_with(
            raw_path=scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        )
        headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        headers.append((b"x-forwarded-for", scope["client"][0].encode()))
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        content = _body(receive) if has_body else None
        request = httpx.Request(scope["method"], url, headers=headers, content=content)
        answer = await self._http.send(request, stream=True)
        try:
            await send({"type": "http.response.start", "status": answer.status_code, "headers": _end_to_end(answer)})
            await _until_either(_copy(answer, send), _gone(receive))
        finally:
            await answer.aclose()


async def _body(receive: Any) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


def _end_to_end(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.raw if name.lower() not in HOP_BY_HOP]


async def _copy(answer: httpx.Response, send: Any) -> None:
    async for piece in answer.aiter_raw():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_either(copying: Any, gone: Any) -> None:
    tasks = [asyncio.ensure_future(copying), asyncio.ensure_future(gone)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _live(receive: Any, send: Any) -> None:
    for answer in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{answer}.complete"})


@contextlib.contextmanager
def gateway(port: int, processes: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Run the gateway on this local port in a thread."""
    config = uvicorn.Config(
        Gateway(processes), host="127.0.0.1", port=port, log_level="warning", server_header=False, date_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="gateway", daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
