"""Limits to connections: slow ones are closed, those of one network compete with each other, and others are served."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from prometheus_client import REGISTRY
from starlette.responses import StreamingResponse

from shared.web.auth.access import GuardedRoute, public
from shared.web.http import protocol
from shared.web.http.connections import ConnectionRegistry
from tests.support.paths import REPOSITORY
from tests.support.services.web_harness import WebHarness, served, web_harness

TIMEOUT_SECONDS = 30
ROOT = REPOSITORY
UPLOAD = b"POST /api/taken HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Gate:
    """A route at which requests wait until the test releases them."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    def routes(self) -> APIRouter:
        router = APIRouter(route_class=GuardedRoute, dependencies=[Depends(public())])

        @router.post("/api/taken")
        async def take(request: Request) -> dict[str, int]:
            return {"bytes": len(await request.body())}

        @router.post("/api/waiting")
        async def wait(request: Request) -> dict[str, int]:
            self.waiting += 1
            await self.open.wait()
            return {"bytes": len(await request.body())}

        @router.post("/api/unread")
        async def unread(request: Request) -> dict[str, int]:
            return {"bytes": 0}

        @router.get("/api/large")
        async def large() -> StreamingResponse:
            return StreamingResponse(bytes(100_000) for _ in range(1_000))

        return router


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def harness(tmp_path: Path, gate: Gate) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path, gate.routes(), connections_per_address=4) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_GRACE_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "STALL_TIMEOUT_SECONDS", 0.3)


@dataclass
class ClientConnection:
    """A connection from the client's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_all(self) -> bytes:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self.reader.read()

    async def answer(self) -> tuple[int, dict[str, object]]:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            body = json.loads(await self.reader.readuntil(b"}"))
        return int(head.split()[1]), body

    async def is_closed(self) -> bool:
        with suppress(ConnectionError):
            await self.read_all()
        return True


@asynccontextmanager
async def connect_to(port: int, address: str = "127.0.0.1") -> AsyncIterator[ClientConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield ClientConnection(reader, writer)
    finally:
        writer.close()


async def wait_until(holds) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.02)


def closed(reason: str) -> float:
    return REGISTRY.get_sample_value("simpul_connections_closed_total", {"reason": reason}) or 0.0


# Slow ones


async def test_a_stalled_body_is_refused_with_a_message(harness: WebHarness, impatient):
    before = closed("slow_body")
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send(UPLOAD % 200_000 + b"x")
        status, problem = await line.answer()
        assert status == 408
        assert "terlalu lambat" in str(problem["detail"])
        assert await line.is_closed()
    assert closed("slow_body") == before + 1


async def test_a_trickling_body_is_refused(harness: WebHarness, impatient):
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send(UPLOAD % 200_000)

        async def drip() -> None:
            while True:
                line.send(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await line.answer())[0] == 408
        dripping.cancel()


async def test_a_body_at_the_rate_of_a_slow_link_is_accepted(harness: WebHarness, impatient, monkeypatch):
    monkeypatch.setattr(protocol, "MIN_BODY_BYTES_PER_SECOND", 1.0)
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send(UPLOAD % 1_000)
        for _ in range(10):
            line.send(b"x" * 100)
            await asyncio.sleep(0.1)
        assert await line.answer() == (200, {"bytes": 1_000})


async def test_time_in_which_reading_is_paused_does_not_count_against_the_sender(
    harness: WebHarness, gate: Gate, impatient, monkeypatch
):
    monkeypatch.setattr(protocol, "MIN_BODY_BYTES_PER_SECOND", 10_000_000.0)
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send((UPLOAD % 250_000).replace(b"taken", b"waiting") + bytes(250_000))
        await wait_until(lambda: gate.waiting)
        await asyncio.sleep(1)
        gate.open.set()
        assert await line.answer() == (200, {"bytes": 250_000})


async def test_time_before_100_continue_does_not_count_against_the_sender(harness: WebHarness, gate: Gate, impatient):
    async with served(harness.app) as (_, port), connect_to(port) as line:
        head = (UPLOAD % 3).replace(b"taken", b"waiting").replace(b"Host", b"Expect: 100-continue\r\nHost")
        line.send(head)
        await wait_until(lambda: gate.waiting)
        await asyncio.sleep(1)
        gate.open.set()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.send(b"abc")
        assert await line.answer() == (200, {"bytes": 3})


async def test_an_unread_body_does_not_keep_the_connection_open(harness: WebHarness, impatient):
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send((UPLOAD % 60_000).replace(b"taken", b"unread") + b"x")
        assert (await line.answer())[0] == 200
        line.send(b"x")
        assert await line.is_closed()


@pytest.mark.parametrize("bytes_between", [b"\r\n", b"\r\n\r\n", b"G", b"GET / HTTP/1.1\r\nX: "])
async def test_bytes_that_begin_no_request_do_not_keep_the_connection_open(
    harness: WebHarness, impatient, bytes_between: bytes
):
    async with served(harness.app) as (_, port), connect_to(port) as line:
        line.send(GET)
        assert (await line.answer())[0] == 200
        line.send(bytes_between)
        assert await line.is_closed()


async def test_a_connection_is_reused_for_sequential_and_pipelined_requests(harness: WebHarness, impatient):
    async with served(harness.app) as (_, port), connect_to(port) as line:
        for _ in range(3):
            line.send(GET)
            assert (await line.answer())[0] == 200
        line.send((UPLOAD % 3 + b"abc") * 3 + GET)
        assert [await line.answer() for _ in range(3)] == [(200, {"bytes": 3})] * 3
        assert (await line.answer())[0] == 200


async def test_a_client_that_does_not_read_is_disconnected(harness: WebHarness, impatient):
    before = closed("slow_reader")
    async with served(harness.app) as (server, port), connect_to(port) as line:
        line.send(GET.replace(b"/health/live", b"/api/large"))
        await wait_until(lambda: closed("slow_reader") > before)
        await wait_until(lambda: not server.server_state.connections)


# Many


async def test_slow_connections_are_evicted_for_another_client_of_the_same_network(harness: WebHarness, monkeypatch):
    monkeypatch.setattr(protocol, "EVICTION_GRACE_SECONDS", 0.0)
    async with served(harness.app) as (server, port):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in slow:
            writer.write(UPLOAD % 200_000 + b"x")
        async with connect_to(port) as line:
            line.send(GET)
            assert (await line.answer())[0] == 200
        assert len(server.server_state.connections) <= 4
        for _, writer in slow:
            writer.close()


async def test_a_connection_with_a_response_in_progress_is_not_evicted(harness: WebHarness, gate: Gate, monkeypatch):
    monkeypatch.setattr(protocol, "EVICTION_GRACE_SECONDS", 0.0)
    async with served(harness.app) as (_, port), httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
        busy = [asyncio.create_task(client.post(f"http://127.0.0.1:{port}/api/waiting")) for _ in range(4)]
        await wait_until(lambda: gate.waiting == 4)
        async with connect_to(port) as line:
            status, problem = await line.answer()
        assert status == 429
        assert "Terlalu banyak sambungan" in str(problem["detail"])
        async with connect_to(port, "127.0.0.2") as line:
            line.send(GET)
            assert (await line.answer())[0] == 200
        gate.open.set()
        assert {(await answer).status_code for answer in busy} == {200}


async def test_requests_of_one_client_behind_a_proxy_are_counted_by_address(tmp_path: Path, gate: Gate):
    settings = {"connections_per_address": 4, "trusted_proxies": "127.0.0.1"}
    async with (
        web_harness(tmp_path, gate.routes(), **settings) as harness,
        served(harness.app) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_SECONDS) as client,
    ):
        visitors = [{"X-Forwarded-For": "192.0.2.1"}] * 4 + [{"X-Forwarded-For": "192.0.2.2"}]
        busy = [asyncio.create_task(client.post("/api/waiting", headers=visitor)) for visitor in visitors]
        await wait_until(lambda: gate.waiting == 5)
        refused = await client.get("/health/live", headers=visitors[0])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert (await client.get("/health/live", headers=visitors[4])).status_code == 200
        gate.open.set()
        assert {(await answer).status_code for answer in busy} == {200}
        assert (await client.get("/health/live", headers=visitors[0])).status_code == 200


async def test_a_large_body_of_a_client_with_too_many_requests_closes_its_connection(tmp_path: Path, gate: Gate):
    """Otherwise the whole body would be read and dropped to keep the connection for the next request."""
    settings = {"connections_per_address": 4, "trusted_proxies": "127.0.0.1", "body_limit": 50_000_000}
    async with (
        web_harness(tmp_path, gate.routes(), **settings) as harness,
        served(harness.app) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_SECONDS) as client,
    ):
        visitor = {"X-Forwarded-For": "192.0.2.1"}
        busy = [asyncio.create_task(client.post("/api/waiting", headers=visitor)) for _ in range(4)]
        await wait_until(lambda: gate.waiting == 4)
        refused = await client.post("/api/requests", content=bytes(5_000_000), headers=visitor)
        assert (refused.status_code, refused.headers["connection"]) == (429, "close")
        gate.open.set()
        assert {(await answer).status_code for answer in busy} == {200}


@dataclass(eq=False)
class Known:
    """A connection with a given eviction score."""

    useful: float | None = 0.0
    open: bool = True

    def eviction_score(self) -> float | None:
        return self.useful

    def evict(self) -> None:
        self.open = False


def test_the_slowest_connection_of_the_network_is_evicted():
    connections = ConnectionRegistry(3, 1_000)
    first, slow, busy = Known(50.0), Known(0.1), Known(None)
    assert all(connections.admit(each, f"2001:db8::{place}") for place, each in enumerate((first, slow, busy)))
    assert connections.admit(Known(), "2001:db8:0:1::1")
    assert connections.admit(newest := Known(), "2001:db8::4")
    assert (first.open, slow.open, busy.open, newest.open) == (True, False, True, True)
    connections.forget(slow)
    assert len(connections) == 4


def test_at_the_limit_a_connection_of_the_busiest_network_is_evicted():
    connections = ConnectionRegistry(100, 200)
    crowd = [Known(float(place)) for place in range(25)]
    others = [Known(-1.0) for _ in range(75)]
    assert all(connections.admit(each, "192.0.2.1") for each in crowd)
    assert all(connections.admit(each, f"198.51.{place}.1") for place, each in enumerate(others))
    assert connections.admit(Known(), "203.0.113.1")
    assert [each.open for each in crowd].index(False) == 0
    assert all(each.open for each in others)


def test_connections_of_known_proxies_are_not_counted_by_address():
    connections = ConnectionRegistry(2, 1_000, [ip_network("10.0.0.0/30")])
    assert all(connections.admit(Known(None), "10.0.0.1") for _ in range(50))
    assert [connections.admit(Known(None), "10.0.0.9") for _ in range(3)] == [True, True, False]


# With few descriptors


@pytest.fixture(params=["asyncio", "uvloop"])
def cramped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The port of a server with 256 descriptors, to which it has raised its limit from 64."""
    if request.param == "uvloop" and not importlib.util.find_spec("uvloop"):
        pytest.skip("uvloop is not installed")
    command = [
        sys.executable,
        "-m",
        "tests.support.services.limited_server_process",
        str(tmp_path),
        "256",
        request.param,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()
        _, errors = process.communicate()
    assert b"out of system resource" not in errors


async def test_three_hundred_slow_connections_do_not_lock_others_out(cramped: int):
    async with asyncio.timeout(120):
        lines = [await asyncio.open_connection("127.0.0.1", cramped, local_addr=("127.0.0.2", 0)) for _ in range(300)]
        for _, writer in lines:
            writer.write(UPLOAD % 200_000 + b"x")
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            for _ in range(5):
                assert (await client.get(f"http://127.0.0.1:{cramped}/health/live")).status_code == 200
    for _, writer in lines:
        writer.close()


async def test_a_slow_connection_of_many_networks_is_evicted_for_a_new_one(cramped: int):
    lines = []
    async with asyncio.timeout(120):
        for place in range(300):
            address = f"127.0.1.{1 + place % 20}"
            lines.append(await asyncio.open_connection("127.0.0.1", cramped, local_addr=(address, 0)))
            lines[-1][1].write(UPLOAD % 200_000 + b"x")
        await asyncio.sleep(protocol.EVICTION_GRACE_SECONDS + 0.5)
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            assert (await client.get(f"http://127.0.0.1:{cramped}/health/live")).status_code == 200
    for _, writer in lines:
        writer.close()


def test_the_descriptor_limit_is_raised_to_the_hard_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = min(hard, 512)
    lines = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {limit}))\n"
    lines += "from shared.web.http.connections import raise_descriptor_limit; print(raise_descriptor_limit())"
    assert int(subprocess.check_output([sys.executable, "-c", lines], cwd=ROOT)) == limit
    assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
