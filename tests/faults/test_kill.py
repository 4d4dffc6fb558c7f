"""The real server is killed repeatedly under load; acknowledged commands survive and agree with the log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.calendar import today
from shared.clock import system_clock
from shared.settings import Settings
from simpul.client import ApiError, RetryPolicy, SimpulClient, open_client
from simpul.client_types import SubmissionResult
from tests.support.e2e.server_process import PASSWORD, STAFF, ServerProcess
from tests.support.e2e.server_session import create_signed_in_staff, submit_while_stopping, wait_until
from tests.support.e2e.workers import WORKERS, wait_for_workers, worker_pids
from tests.support.sample_submission import ALL_OK, FORM, LETTER, PAPERS

pytestmark = pytest.mark.slow

KILLS = 20
APPLICANTS = 4
ORDER = ("submitted", "verified", "assigned", "in_progress")
TIMEOUT_SECONDS = RetryPolicy(timeout_seconds=60, max_delay_seconds=0.5)


@dataclass
class Acknowledged:
    """The latest status that the server acknowledged for a request."""

    submission: SubmissionResult
    status: str = "submitted"


@dataclass
class SimulatedStaff:
    """Simulated users and the responses they received."""

    url: str
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    requests: dict[str, Acknowledged] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    async def apply(self, anybody: SimpulClient) -> None:
        while not self.ended.is_set():
            answer = await anybody.submit(FORM, LETTER, PAPERS)
            if answer["id"] in self.requests:
                self.wrong.append(f"{answer['number']} was acknowledged twice")
            self.requests[answer["id"]] = Acknowledged(answer)
            await asyncio.sleep(0.05)

    async def work(self, staff: dict[str, SimpulClient]) -> None:
        """Advance each request by one step, up to `in_progress`."""
        while not self.ended.is_set():
            for request, known in list(self.requests.items()):
                if not self.ended.is_set() and known.status != ORDER[-1]:
                    await self._step(staff, request, known)
            await asyncio.sleep(0.02)

    async def _step(self, staff: dict[str, SimpulClient], request: str, known: Acknowledged) -> None:
        try:
            match known.status:
                case "submitted":
                    await staff["nurlaila"].verify(request, ALL_OK)
                case "verified":
                    target = today(system_clock()) + timedelta(days=60)
                    await staff["hasan"].assign(request, "dewi", "low", target)
                case _:
                    await staff["dewi"].start(request)
            known.status = ORDER[ORDER.index(known.status) + 1]
        except ApiError as error:
            # 404 and 409 say that this service has not heard of the step before yet; nothing else may happen.
            if error.status not in (404, 409):
                self.wrong.append(error.message)
            if error.status == 409 and self._is_logged(known, error.problem):
                self.wrong.append(f"refused what took place: {error.message}")

    def _is_logged(self, known: Acknowledged, problem: Mapping[str, Any]) -> bool:
        later = ORDER[ORDER.index(known.status) + 1 :]
        return problem["current"]["status"] in later


@asynccontextmanager
async def people(server: ServerProcess) -> AsyncIterator[tuple[SimpulClient, dict[str, SimpulClient]]]:
    async with open_client(server.url, retry_policy=TIMEOUT_SECONDS) as anybody:
        yield anybody, {name: await anybody.sign_in(name, PASSWORD) for name in STAFF}


async def kill_repeatedly(server: ServerProcess, crowd: SimulatedStaff, seed: int) -> list[float]:
    """Kill it at random moments, every other time after two more requests; the duration of each start in seconds."""
    chance, starts = random.Random(seed), []
    for number in range(KILLS):
        wanted = len(crowd.requests) + 2 * (number % 2)
        while len(crowd.requests) < wanted:  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2 + 1.3 * chance.random())
        server.kill()
        began = time.monotonic()
        await asyncio.to_thread(server.start)
        starts.append(time.monotonic() - began)
    return starts


async def test_nothing_acknowledged_is_missing_after_twenty_kills(tmp_path: Path, record_property: Callable[..., None]):
    server = ServerProcess(tmp_path / "data", {})
    await create_signed_in_staff(Settings(data=server.data))
    server.start()
    try:
        crowd = SimulatedStaff(server.url)
        async with people(server) as (anybody, staff), asyncio.timeout(1200):
            at_work = [crowd.apply(anybody) for _ in range(APPLICANTS)] + [crowd.work(staff)]
            working = asyncio.gather(*at_work)
            starts = await kill_repeatedly(server, crowd, seed=20)
            crowd.ended.set()
            await working
            await settled(staff["hasan"], crowd)
            await assert_everything_stored(crowd, anybody)
    finally:
        server.stop()
    record_property("requests", len(crowd.requests))
    record_property("seconds of a start, mean and longest", f"{sum(starts) / KILLS:.2f} {max(starts):.2f}")
    assert crowd.wrong == []
    assert len(crowd.requests) > KILLS
    verified = server.simpul("events", "verify", "--json")
    assert json.loads(verified.stdout)["clean"] is True, verified.stdout


async def kill_workers_in_turn(server: ServerProcess) -> None:
    """Kill each worker once, and wait for its successor."""
    for pid in wait_for_workers(server):
        await asyncio.sleep(1.0)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(wait_for_workers, server, but_not=pid)


async def test_nothing_acknowledged_is_missing_after_kills_of_workers_and_of_their_supervisor(tmp_path: Path):
    server = ServerProcess(tmp_path / "data", dict(WORKERS))
    await create_signed_in_staff(Settings(data=server.data))
    server.start()
    try:
        crowd = SimulatedStaff(server.url)
        async with people(server) as (anybody, staff), asyncio.timeout(300):
            working = asyncio.gather(crowd.apply(anybody), crowd.apply(anybody), crowd.work(staff))
            await kill_workers_in_turn(server)
            orphans = worker_pids(server)
            server.kill()
            await asyncio.to_thread(wait_until, lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
            await asyncio.to_thread(server.start)
            await asyncio.sleep(1.0)
            crowd.ended.set()
            await working
            await settled(staff["hasan"], crowd)
            await assert_everything_stored(crowd, anybody)
            await asyncio.to_thread(wait_until_verified, server)
            assert server.process is not None
            answer = await asyncio.to_thread(submit_while_stopping, server, server.process.terminate)
        assert answer.startswith(b"HTTP/1.1 201")
        assert server.process.wait(40) == 0
    finally:
        server.stop()
    assert crowd.wrong == []
    assert len(crowd.requests) > 0
    request_id = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    assert "RequestSubmitted" in server.simpul("events", "show", request_id).stdout


def wait_until_verified(server: ServerProcess) -> None:
    """Wait until all services have folded the log, also what was submitted last."""
    wait_until(lambda: server.simpul("events", "verify").returncode == 0, timeout=120.0)


async def settled(head: SimpulClient, crowd: SimulatedStaff) -> None:
    """Expect every started request to be known as started."""
    for request, known in crowd.requests.items():
        if known.status in ORDER[1:]:
            await seen_by(head, request, known.status)


async def seen_by(head: SimpulClient, request: str, status: str) -> None:
    while True:
        try:
            seen = await head.request("assignment", request)
            if ORDER.index(seen["status"]) >= ORDER.index(status):
                return
        except ApiError as error:
            if error.status != 404:
                raise
        await asyncio.sleep(0.05)


async def assert_everything_stored(crowd: SimulatedStaff, anybody: SimpulClient) -> None:
    for known in crowd.requests.values():
        number = known.submission["number"]
        applicant = anybody.with_token(known.submission["tracking_token"])
        seen = await until_at_least(applicant, number, known.status)
        documents = seen["documents"]
        assert len(documents) == 1 + len(PAPERS)
        for document in documents:
            content = await applicant.download(number, document["id"])
            assert hashlib.sha256(content).hexdigest() == document["sha256"]
            assert content in (LETTER.content, *(paper.content for paper in PAPERS))


async def until_at_least(applicant: SimpulClient, number: str, status: str) -> dict[str, Any]:
    while True:
        seen = await applicant.track(number)
        if ORDER.index(seen["status"]) >= ORDER.index(status):
            return seen
        await asyncio.sleep(0.05)
