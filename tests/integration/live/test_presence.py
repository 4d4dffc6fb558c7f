"""Who has the page of a request open: recorded by live streams, for all processes, until it expires."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.backends.platform import open_platform
from shared.contracts.facts import Staff
from shared.office.presence import PRESENCE_TTL, PresenceRegister, viewer_names
from shared.settings import Settings
from shared.storage.port import StoreUnavailable
from tests.support.domain.given_when_then import NOON, REQUEST
from tests.support.domain.request_events import HASAN, NURLAILA
from tests.support.services.staff_harness import OTHER, StaffHarness, staff_harness

SAMSUL = Staff(username="samsul", name="Samsul Seandainya")
HERE = f"/api/verification/requests/{REQUEST}"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        await opened.submitted()
        yield opened


async def presence_events(harness: StaffHarness, who: str, path: str, count: int = 1) -> list[dict[str, Any]]:
    """Follow a stream until this many events of presence have come."""
    found: list[dict[str, Any]] = []
    received = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await received.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        for block in message.get("body", b"").decode().split("\n\n"):
            if block.startswith("event: presence"):
                found.append(json.loads(block.partition("data: ")[2]))
        if len(found) >= count:
            received.set()

    plain, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": plain, "raw_path": plain.encode(), "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer token of {who}".encode()), (b"host", b"127.0.0.1:8000")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    async with asyncio.timeout(30):
        await harness.app(scope, receive, send)
    return found


async def test_others_see_who_has_a_request_open(harness: StaffHarness):
    assert await presence_events(harness, "samsul", f"/api/verification/live?open={REQUEST}") == [
        {"id": REQUEST, "names": []}
    ]
    assert await presence_events(harness, "nurlaila", f"/api/verification/live?open={REQUEST}") == [
        {"id": REQUEST, "names": ["Samsul Seandainya"]}
    ]
    assert (await harness.get("nurlaila", HERE)).json()["open_by"] == ["Samsul Seandainya"]
    assert (await harness.get("samsul", HERE)).json()["open_by"] == ["Nurlaila Ibarat"]


async def test_presence_spans_services_and_ends_by_itself(harness: StaffHarness):
    await presence_events(harness, "hasan", f"/api/assignment/live?open={REQUEST}")
    [item] = (await harness.get("nurlaila", "/api/verification/requests")).json()["items"]
    assert item["open_by"] == ["Hasan Umpama"]
    assert (await harness.get("nurlaila", HERE)).json()["open_by"] == ["Hasan Umpama"]
    harness.clock.advance(seconds=PRESENCE_TTL.total_seconds())
    assert (await harness.get("nurlaila", HERE)).json()["open_by"] == []


async def test_only_visible_requests_are_opened(harness: StaffHarness):
    async with asyncio.timeout(30):
        for who, path in (
            ("samsul", f"/api/verification/live?open={OTHER}"),
            ("dewi", f"/api/assignment/live?open={REQUEST}"),
        ):
            answer = await harness.call(who, "HEAD", path)
            assert answer.status_code == 200
    assert await harness.platform.presence.by_request("admin") == {}


async def test_presence_is_shared_by_processes_and_keeps_its_beginning(tmp_path: Path):
    now = NOON
    platforms = [open_platform(Settings(data=tmp_path), lambda: now) for _ in range(2)]
    await platforms[0].prepare()
    first, second = (platform.presence for platform in platforms)
    assert await first.enter(REQUEST, NURLAILA) == []
    now += timedelta(seconds=60)
    await first.enter(REQUEST, NURLAILA)
    await first.enter(OTHER, HASAN)
    now += timedelta(seconds=60)
    [viewer] = await second.enter(REQUEST, SAMSUL)
    assert (viewer.username, viewer.name, viewer.since) == ("nurlaila", "Nurlaila Ibarat", NOON)
    everywhere = await second.by_request("nurlaila")
    assert viewer_names(everywhere, REQUEST) == ["Samsul Seandainya"]
    assert viewer_names(everywhere, OTHER) == ["Hasan Umpama"]
    assert viewer_names(everywhere, "unknown") == []
    for platform in platforms:
        await platform.close()


async def test_a_store_that_is_down_hides_presence_only(tmp_path: Path):
    platform = open_platform(Settings(data=tmp_path))
    await platform.prepare()
    register = PresenceRegister(platform.office, platform.clock)
    await platform.close()
    with pytest.raises(StoreUnavailable):
        await platform.office.put("presence", "x", {})
    assert await register.enter(REQUEST, NURLAILA) == []
    assert await register.by_request("nurlaila") == {}
