"""Live updates of all four services behind a real server: changes arrive at once, and only at clients that may see them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from shared.web.api import live as live_module
from shared.web.api.live import StreamTiming
from tests.support.domain import request_events as tale
from tests.support.services.intake_harness import FILES, FORM
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import PEOPLE, StaffHarness
from tests.support.services.web_harness import served

pytestmark = pytest.mark.slow

CHECKLIST = [{"item": verdict.item.value, "ok": True} for verdict in tale.ALL_OK]
VERIFY = {"checklist": CHECKLIST, "acknowledged_warnings": []}
ASSIGN = {"lead": "dewi", "complexity": "low", "target_date": "2026-12-14"}
AT_ONCE = 1.0


@dataclass
class LiveHarness:
    harness: StaffHarness
    port: int

    async def submitted(self) -> dict[str, str]:
        """A request of an applicant that verification, assignment and notification have processed."""
        async with self.harness.http as client:
            answer = await client.post("/api/requests", data=FORM, files=list(FILES))
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        await self.heard(made)
        return made

    async def heard(self, request: dict[str, str]) -> None:
        """Wait until all events are published and processed, and all emails are sent."""

        async def quiet() -> bool:
            idle = [service.runtime.relay.is_idle for service in self.harness.services.values()]
            kept = await self.harness.services["notification"].runtime.executor.read(request["id"])
            out = kept is not None and {message.status for message in kept.state.messages} == {"sent"}
            return out and all(idle) and await self.harness.wait_until_consumed()

        await self.harness.wait_until(quiet)

    async def does(self, who: str, request: dict[str, str], path: str, body: dict[str, Any]) -> None:
        answer = await self.harness.post(who, path.format(request["id"]), body)
        assert answer.status_code == 200, answer.text

    async def verified(self, request: dict[str, str]) -> None:
        await self.does("nurlaila", request, "/api/verification/requests/{}/verification", VERIFY)
        await self.harness.wait_for_status("assignment", "verified", request["id"])

    async def assigned(self, request: dict[str, str], lead: str = "dewi") -> None:
        await self.does("hasan", request, "/api/assignment/requests/{}/assignment", {**ASSIGN, "lead": lead})

    async def withdrawn(self, request: dict[str, str]) -> None:
        async with self.harness.http as client:
            path = f"/api/requests/{request['number']}/withdrawal"
            headers = {"Authorization": f"Bearer {request['tracking_token']}"}
            answer = await client.post(path, headers=headers, json={"reason": "Batal."})
        assert answer.status_code == 200, answer.text

    @asynccontextmanager
    async def following(self, path: str, token: str, **headers: str) -> AsyncIterator[Stream]:
        every = {"Authorization": f"Bearer {token}", **headers}
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10) as client,
            client.stream("GET", path, headers=every) as response,
        ):
            stream = Stream(response, response.aiter_lines())
            if response.status_code == 200:
                await stream.wait_until("id:")
            yield stream

    def staff(self, service: str, who: str, **headers: str) -> Any:
        return self.following(f"/api/{service}/live", f"token of {who}", **headers)

    def applicant(self, request: dict[str, str], **headers: str) -> Any:
        path = f"/api/intake/live?number={request['number']}"
        return self.following(path, request["tracking_token"], **headers)


@dataclass
class Stream:
    response: httpx.Response
    lines: AsyncIterator[str]
    cursor: str = ""

    async def wait_until(self, start: str, seconds: float = 5.0) -> str:
        async with asyncio.timeout(seconds):
            async for line in self.lines:
                if line.startswith("id:"):
                    self.cursor = line.removeprefix("id:").strip()
                if line.startswith(start):
                    return line.removeprefix(start).strip()
        raise AssertionError(f"the stream ended without {start!r}")

    async def told(self, seconds: float = 5.0) -> dict[str, Any]:
        news: dict[str, Any] = json.loads(await self.wait_until("data:", seconds))
        return news

    async def told_that(self, status: str, seconds: float = AT_ONCE) -> dict[str, Any]:
        """The next event with this status, which must arrive within the time limit."""
        async with asyncio.timeout(seconds):
            while (news := await self.told())["status"] != status:
                continue
        return news

    async def silent(self) -> None:
        with pytest.raises(TimeoutError):
            await self.told(0.5)

    async def ends(self) -> None:
        async with asyncio.timeout(20):
            async for _ in self.lines:
                pass


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveHarness]:
    monkeypatch.setattr(live_module, "StreamTiming", partial(StreamTiming, heartbeat=0.3, recheck=0.1))
    async with (
        services_harness(tmp_path, "intake", "verification", "assignment", "notification") as harness,
        served(harness.app) as (_, port),
    ):
        yield LiveHarness(harness, port)


WHO = {"verification": "samsul", "assignment": "halima", "notification": "admin"}


@pytest.mark.parametrize("service", WHO)
async def test_a_decision_reaches_another_officer_within_a_second(live: LiveHarness, service: str):
    request = await live.submitted()
    async with live.staff(service, WHO[service]) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        await live.verified(request)
        news = await stream.told_that("verified")
        assert (news["id"], news["number"]) == (request["id"], request["number"])
        kept = await live.harness.services[service].runtime.executor.read(request["id"])
        assert kept is not None
        assert 1 < news["version"] <= kept.version


async def test_a_decision_reaches_the_applicant_within_a_second(live: LiveHarness):
    request, other = await live.submitted(), await live.submitted()
    async with live.applicant(request) as stream:
        await live.verified(other)
        await stream.silent()
    async with live.applicant(request) as stream:
        await live.verified(request)
        assert (await stream.told_that("verified"))["id"] == request["id"]


async def test_an_officer_sees_a_new_request_and_its_withdrawal(live: LiveHarness):
    async with live.staff("verification", "nurlaila") as stream:
        request = await live.submitted()
        assert (await stream.told_that("submitted"))["number"] == request["number"]
        await live.withdrawn(request)
        assert (await stream.told_that("withdrawn"))["id"] == request["id"]


@pytest.mark.parametrize("service", WHO)
async def test_changes_during_a_disconnection_are_sent_once_per_request(live: LiveHarness, service: str):
    requests = [await live.submitted() for _ in range(3)]
    async with live.staff(service, WHO[service]) as stream:
        cursor = stream.cursor
    for request in requests[:2]:
        await live.verified(request)
        await live.assigned(request)
        await live.heard(request)
    async with live.staff(service, WHO[service], **{"Last-Event-ID": cursor}) as stream:
        news = [await stream.told(), await stream.told()]
        assert {one["id"] for one in news} == {request["id"] for request in requests[:2]}
        await stream.silent()
        newest = stream.cursor
    async with live.staff(service, WHO[service], **{"Last-Event-ID": newest}) as stream:
        await stream.silent()


async def test_an_applicant_receives_changes_after_a_disconnection(live: LiveHarness):
    request = await live.submitted()
    async with live.applicant(request) as stream:
        cursor = stream.cursor
    await live.verified(request)
    await live.heard(request)
    async with live.applicant(request, **{"Last-Event-ID": cursor}) as stream:
        assert (await stream.told())["status"] == "verified"
        await stream.silent()


async def test_technical_staff_receive_changes_of_their_own_work_only(live: LiveHarness):
    mine, other = await live.submitted(), await live.submitted()
    async with live.staff("assignment", "dewi") as stream, live.staff("assignment", "hasan") as head:
        for request, lead in ((other, "jafar"), (mine, "dewi")):
            await live.verified(request)
            await live.assigned(request, lead)
        assert (await stream.told(AT_ONCE))["id"] == mine["id"]
        await head.told_that("assigned")
        await live.does("jafar", other, "/api/assignment/requests/{}/start", {})
        await stream.silent()


@pytest.mark.parametrize("service", WHO)
async def test_a_stream_ends_when_its_session_is_signed_out(live: LiveHarness, service: str):
    async with live.staff(service, WHO[service]) as stream, live.staff("verification", "nurlaila") as other:
        began = time.monotonic()
        assert (await live.harness.call(WHO[service], "DELETE", "/api/session")).status_code < 300
        await stream.ends()
        assert time.monotonic() - began < AT_ONCE
        await other.wait_until(": -")


@pytest.mark.parametrize("service", WHO)
async def test_an_idle_stream_keeps_its_connection_but_not_its_session_alive(live: LiveHarness, service: str):
    async with live.staff(service, WHO[service]) as stream:
        for _ in range(3):
            await stream.wait_until(": -", 2)
        live.harness.clock.advance(minutes=31)
        await stream.ends()


async def test_streams_need_a_role_of_their_service(live: LiveHarness):
    allowed = {
        "verification": {"nurlaila", "samsul"},
        "assignment": {"hasan", "halima", "dewi", "jafar", "kepala"},
        "notification": {"admin"},
    }
    for service, those in allowed.items():
        for who in PEOPLE:
            async with live.staff(service, who) as stream:
                assert stream.response.status_code == (200 if who in those else 403), (service, who)
        async with live.staff(service, "nobody") as stream:
            assert stream.response.status_code == 401


async def test_an_applicants_stream_needs_the_tracking_token(live: LiveHarness):
    one, other = await live.submitted(), await live.submitted()
    for token in (other["tracking_token"], "x", "token of nurlaila"):
        async with live.following(f"/api/intake/live?number={one['number']}", token) as stream:
            assert stream.response.status_code == 404


async def test_a_stream_has_a_gauge_and_no_response_time(live: LiveHarness):
    def answers() -> float:
        return REGISTRY.get_sample_value("simpul_http_seconds_count", {"method": "GET", "status": "200"}) or 0

    before, open_before = answers(), REGISTRY.get_sample_value("simpul_live_streams")
    assert open_before is not None
    async with live.staff("verification", "samsul"):
        assert REGISTRY.get_sample_value("simpul_live_streams") == open_before + 1

    async def closed() -> bool:
        return REGISTRY.get_sample_value("simpul_live_streams") == open_before

    await live.harness.wait_until(closed)
    await asyncio.sleep(0.1)
    assert answers() == before
