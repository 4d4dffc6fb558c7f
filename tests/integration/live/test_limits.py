"""Limits to live streams per session, request and network and for applicants, so that some remain for staff."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared.web.api.problems import Problem
from shared.web.http import stream_limits
from shared.web.http.stream_limits import MAX_STREAMS_PER_ADDRESS, StreamOwner, StreamRegistry
from tests.integration.live.test_updates import LiveHarness, Stream
from tests.support.services.services_harness import services_harness
from tests.support.services.web_harness import served


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveHarness]:
    monkeypatch.setattr(stream_limits, "MAX_STREAMS_PER_OWNER", 2)
    services = ("intake", "verification", "assignment", "notification")
    async with services_harness(tmp_path, *services) as harness, served(harness.app) as (_, port):
        yield LiveHarness(harness, port)


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.slow
async def test_the_oldest_of_too_many_streams_of_an_applicant_ends(live: LiveHarness, opened: AsyncExitStack):
    request = await live.submitted()
    streams: list[Stream] = [await opened.enter_async_context(live.applicant(request)) for _ in range(4)]
    assert [stream.response.status_code for stream in streams] == [200] * 4
    for displaced in streams[:2]:
        assert await displaced.wait_until("retry:") == "15000"
        await displaced.ends()
    assert live.harness.app.state.streams.open_count == 2
    await live.verified(request)
    for newest in streams[2:]:
        assert (await newest.told_that("verified", 20))["id"] == request["id"]


@pytest.mark.slow
async def test_the_stream_limit_of_a_session_does_not_affect_others(live: LiveHarness, opened: AsyncExitStack):
    other = await opened.enter_async_context(live.staff("verification", "nurlaila"))
    streams = [await opened.enter_async_context(live.staff("verification", "samsul")) for _ in range(3)]
    await streams[0].ends()
    request = await live.submitted()
    for stream in (other, *streams[1:]):
        assert (await stream.told_that("submitted", 20))["id"] == request["id"]


@pytest.mark.slow
async def test_streams_are_reserved_for_staff(live: LiveHarness, opened: AsyncExitStack):
    streams = live.harness.app.state.streams
    streams.max_streams = 5
    requests = [await live.submitted() for _ in range(4)]
    answers = [await opened.enter_async_context(live.applicant(request)) for request in requests]
    assert [answer.response.status_code for answer in answers] == [200, 200, 200, 503]
    assert answers[-1].response.headers["retry-after"] == "30"
    assert answers[-1].response.headers["content-type"] == "application/problem+json"
    staff = [
        await opened.enter_async_context(live.staff("verification", who)) for who in ("nurlaila", "samsul", "nurlaila")
    ]
    assert [answer.response.status_code for answer in staff] == [200, 200, 503]
    assert REGISTRY.get_sample_value("simpul_live_streams_public") == 3


@pytest.mark.slow
async def test_a_closed_stream_makes_room_for_another(live: LiveHarness):
    live.harness.app.state.streams.max_streams = 1
    requests = [await live.submitted() for _ in range(2)]
    async with live.applicant(requests[0]) as first, live.applicant(requests[1]) as second:
        assert (first.response.status_code, second.response.status_code) == (200, 503)

    async def gone() -> bool:
        return bool(live.harness.app.state.streams.open_count == 0)

    await live.harness.wait_until(gone)
    async with live.applicant(requests[1]) as again:
        assert again.response.status_code == 200


# The count itself


def entered(streams: StreamRegistry, owner: StreamOwner) -> int:
    try:
        streams.acquire(owner)
    except Problem as problem:
        return problem.status_code
    return 200


def test_one_network_cannot_use_all_streams_of_applicants():
    streams = StreamRegistry()
    statuses = [
        entered(streams, StreamOwner(f"request {number}", "192.0.2.1")) for number in range(MAX_STREAMS_PER_ADDRESS + 5)
    ]
    assert statuses == [200] * MAX_STREAMS_PER_ADDRESS + [429] * 5
    assert entered(streams, StreamOwner("request", "192.0.2.2")) == 200
    assert entered(streams, StreamOwner("session", staff=True)) == 200


def test_five_hundred_applicants_leave_two_hundred_streams_for_staff():
    streams = StreamRegistry()
    for number in range(500):
        entered(streams, StreamOwner(f"request {number}", f"192.0.{number // 20}.1"))
    assert streams.open_count == 300
    assert [entered(streams, StreamOwner(f"session {number}", staff=True)) for number in range(201)] == [200] * 200 + [
        503
    ]


def test_a_stream_is_released_once():
    streams = StreamRegistry(1)
    place = streams.acquire(StreamOwner("a"))
    streams.release(place)
    streams.release(place)
    assert streams.open_count == 0
    assert entered(streams, StreamOwner("b")) == 200
