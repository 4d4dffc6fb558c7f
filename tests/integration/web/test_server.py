"""The application behind a real server: early refusals, disconnecting clients, live streams, endless request heads."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends, Request, Response

from shared.storage.port import StateRecord, Write
from shared.web.api.live import StreamTiming, live
from shared.web.auth.access import GuardedRoute, public
from shared.web.http import body_limit, protocol
from tests.support.services.web_harness import WebHarness, served, web_harness


class Listening:
    """Controls the route of the stream."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self.alive, self.timing = True, StreamTiming(heartbeat=0.2, recheck=0.1)

    def routes(self) -> APIRouter:
        router = APIRouter(route_class=GuardedRoute, dependencies=[Depends(public())])

        @router.get("/api/live")
        async def follow(request: Request) -> Response:
            async def allowed(request_id, _version):
                return None if request_id in self.hidden else {"number": f"INT-{request_id}", "status": "submitted"}

            async def still():
                return self.alive

            return await live(request, request.app.state.store, allowed, still, self.timing)

        return router


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
async def harness(tmp_path: Path, listening: Listening) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path, listening.routes()) as made:
        yield made


async def change(harness: WebHarness, request_id: str, version: int = 1) -> None:
    latest = datetime(2026, 3, 31, tzinfo=UTC).isoformat()
    await harness.app.state.store.save([Write(StateRecord(request_id, version, b"{}", latest=latest), {})])


@asynccontextmanager
async def stream(port: int, **options) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[str]]]:
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        client.stream("GET", "/api/live", **options) as response,
    ):
        yield response, response.aiter_lines()


async def until(lines: AsyncIterator[str], start: str) -> str:
    async with asyncio.timeout(20):
        async for line in lines:
            if line.startswith(start):
                return line.removeprefix(start).strip()
    raise AssertionError(f"the stream ended without {start!r}")


async def ends(lines: AsyncIterator[str]) -> None:
    async with asyncio.timeout(20):
        async for _ in lines:
            pass


async def wait_until(holds) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.02)


HEAD = "POST /api/requests HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"


async def test_a_body_that_is_too_large_is_refused_before_a_byte_of_it_is_sent(harness):
    async with served(harness.app) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{HEAD}Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = await reader.readuntil(b"\r\n\r\n")
            body = json.loads(await reader.readuntil(b"}"))
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer
        assert b"server:" not in answer
        assert body["status"] == 413
        assert harness.started_calls == []
        writer.close()


async def test_a_client_that_sends_the_refused_body_still_reads_the_response(harness):
    async with served(harness.app) as (_, port), httpx.AsyncClient(timeout=20) as client:
        for path in ("/api/requests", "/api/orders"):
            response = await client.post(f"http://127.0.0.1:{port}{path}", content=bytes(20_000_000))
            assert response.status_code == 413


async def test_an_endless_chunked_body_is_cut_off(harness, monkeypatch):
    monkeypatch.setattr(body_limit, "LINGER_MAX_SECONDS", 0.5)
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield bytes(65536)
            await asyncio.sleep(0)

    async with served(harness.app) as (_, port), httpx.AsyncClient(timeout=20) as client:
        began = time.monotonic()
        headers = {"Content-Type": "application/json"}
        try:
            response = await client.post(f"http://127.0.0.1:{port}/api/orders", content=endless(), headers=headers)
            assert response.status_code == 413
        except httpx.TransportError:
            pass
        assert time.monotonic() - began < 20


async def test_a_client_that_disconnects_during_its_upload_has_no_effect(harness):
    async with served(harness.app) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{HEAD}Content-Length: 900000\r\n\r\n--x\r\n".encode())
        await wait_until(lambda: harness.started_calls == ["submit"])
        writer.close()
        await wait_until(lambda: not server.server_state.tasks)
        assert list(harness.platform.settings.documents.rglob("*.*")) == []


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20_000, b"GET /" + b"a" * 200_000])
async def test_an_endless_request_head_is_refused(harness, head):
    async with served(harness.app) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        async with asyncio.timeout(20):
            assert (await reader.read(20)).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_a_slow_request_head_times_out(harness, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.3)
    async with served(harness.app) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX-")
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_a_stream_sends_changes_from_now_on(harness, listening):
    await change(harness, "old")
    async with served(harness.app) as (_, port), stream(port) as (response, lines):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in response.headers
        assert await until(lines, "retry:") == "2000"
        listening.hidden = {"secret"}
        await change(harness, "secret")
        await change(harness, "a")
        assert await until(lines, "event:") == "request"
        told = json.loads(await until(lines, "data:"))
        assert told == {"id": "a", "version": 1, "number": "INT-a", "status": "submitted"}
        await until(lines, ": -")


@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_resumes_after_the_last_event_id(harness, way):
    for request_id in ("a", "b", "c"):
        await change(harness, request_id)
    [first, *_] = await harness.app.state.store.changes("", 10)
    options = (
        {"headers": {"Last-Event-ID": first.cursor}} if way == "header" else {"params": {"last_event_id": first.cursor}}
    )
    async with served(harness.app) as (_, port), stream(port, **options) as (_, lines):
        assert [json.loads(await until(lines, "data:"))["id"] for _ in "bc"] == ["b", "c"]


@pytest.mark.parametrize("rubbish", ["x", "1 OR 1", "-", "9" * 300])
async def test_an_invalid_cursor_does_not_stop_a_stream(harness, rubbish):
    await change(harness, "old")
    async with served(harness.app) as (_, port), stream(port, params={"last_event_id": rubbish}) as (response, lines):
        assert response.status_code == 200
        await until(lines, "retry:")
        await change(harness, "a")
        while json.loads(await until(lines, "data:"))["id"] != "a":
            continue


async def test_a_stream_ends_with_the_session(harness, listening):
    async with served(harness.app) as (_, port), stream(port) as (_, lines):
        await until(lines, "retry:")
        listening.alive = False
        await ends(lines)


async def test_a_closed_stream_frees_its_slot(harness):
    harness.app.state.streams.max_streams = 1
    async with served(harness.app) as (_, port):
        async with stream(port) as (_, lines):
            await until(lines, "retry:")
            async with stream(port) as (response, _):
                assert response.status_code == 503
                assert response.headers["content-type"] == "application/problem+json"
        await wait_until(lambda: harness.app.state.streams.open_count == 0)
        async with stream(port) as (response, _):
            assert response.status_code == 200


async def test_shutdown_does_not_wait_for_streams(harness):
    async with served(harness.app) as (server, port), stream(port) as (_, lines):
        await until(lines, "retry:")
        began = time.monotonic()
        server.should_exit = True
        await ends(lines)
        await wait_until(lambda: not server.server_state.tasks)
        assert time.monotonic() - began < 10
