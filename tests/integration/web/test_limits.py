"""Limits to size and rate, enforced before the body is read and for the client's real address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.web.api.lists import decode_cursor, encode_cursor
from shared.web.api.problems import Problem
from shared.web.http.client_address import ClientAddressResolver, parse_proxies
from shared.web.http.rate_limit import TokenBuckets
from tests.support.services.web_harness import WebHarness, web_harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path, public_rate=2) as made:
        yield made


@pytest.mark.parametrize(("path", "size"), [("/api/orders", 300_000), ("/api/requests", 1_000_001)])
async def test_a_declared_size_over_the_limit_is_refused_before_the_handler(tmp_path, path, size):
    async with web_harness(tmp_path) as harness, harness.client() as client:
        response = await client.post(path, content=b"x" * size)
        assert response.status_code == 413
        assert response.headers["connection"] == "close"
        assert response.headers["content-type"] == "application/problem+json"
        assert "nosniff" in response.headers["x-content-type-options"]
        assert harness.started_calls == []


async def test_a_chunked_body_is_counted(tmp_path):
    async def pieces():
        for _ in range(40):
            yield b"x" * 10_000

    async with web_harness(tmp_path) as harness, harness.client() as client:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/orders", content=pieces(), headers=headers)
    assert response.status_code == 413
    assert "256 KiB" in response.json()["detail"]


async def test_submissions_are_limited_per_address(harness):
    async with harness.client("10.0.0.1") as one, harness.client("10.0.0.2") as other:
        statuses = [(await one.post("/api/requests")).status_code for _ in range(3)]
        assert statuses == [415, 415, 429]
        refused = await one.post("/api/requests", headers={"X-Forwarded-For": "10.9.9.9"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) in range(25, 31)
        assert (await other.post("/api/requests")).status_code == 415
        assert (await one.post("/api/orders", json={"reason": "x"})).status_code == 200


async def test_look_ups_have_a_limit_of_their_own(harness):
    async with harness.client() as client:
        statuses = {(await client.get(f"/api/requests/INT-2026-{n:06}")).status_code for n in range(20)}
        assert statuses == {200}
        assert (await client.get("/api/requests/INT-2026-000001")).status_code == 429


async def test_a_rate_of_zero_disables_the_limits(tmp_path):
    async with web_harness(tmp_path, public_rate=0) as harness, harness.client() as client:
        assert {(await client.post("/api/requests")).status_code for _ in range(50)} == {415}


async def test_addresses_of_an_ipv6_network_share_a_bucket(harness):
    statuses = []
    for host in ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1::3", "2001:db8:0:2::1"):
        async with harness.client(host) as client:
            statuses.append((await client.post("/api/requests")).status_code)
    assert statuses == [415, 415, 429, 415]


def test_buckets_refill_over_time_and_their_number_is_limited():
    now = [0.0]
    buckets = TokenBuckets(maximum=3, clock=lambda: now[0])
    assert [buckets.take(("a", "x"), 2) for _ in range(3)] == [0.0, 0.0, 30.0]
    now[0] = 30.0
    assert buckets.take(("a", "x"), 2) == 0.0
    for number in range(100):
        buckets.take(("a", str(number)), 2)
    assert len(buckets._full_at) == 3


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "10.0.0.9", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7, rubbish", "10.0.0.1"),
    ],
)
def test_forwarded_for_counts_only_from_known_proxies(peer, forwarded, address):
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    assert ClientAddressResolver(parse_proxies("10.0.0.0/30")).resolve(scope) == address
    assert ClientAddressResolver().resolve(scope) == peer


async def test_lists_take_a_limit_and_one_opaque_cursor(harness):
    cursor = encode_cursor(("2026-03-31T00:00:00+00:00", "id"))
    assert re.fullmatch(r"[\w-]+", cursor)
    async with harness.client() as client:
        right = await client.get("/api/orders", params={"after": cursor})
        assert right.json() == {"limit": 50, "after": ["2026-03-31T00:00:00+00:00", "id"], "before": None}
        for wrong in (
            {"after": "rubbish"},
            {"before": cursor + "A"},
            {"after": cursor, "before": cursor},
            {"limit": "201"},
            {"limit": "ten"},
            {"status": "green"},
            {"unknown": "1"},
            {"after": "W" * 2000},
        ):
            response = await client.get("/api/orders", params=wrong)
            assert response.status_code == 422, wrong


@pytest.mark.parametrize("key", [("a", "b"), (None, "b"), (7, "b"), (True, "b"), ("é\n", "b")])
def test_a_cursor_decodes_to_its_key(key):
    assert decode_cursor(encode_cursor(key)) == key


@pytest.mark.parametrize(
    "rubbish",
    ["", "é", "====", "e30", "W10", "WzEsMiwzXQ", "W1sxXSwiYiJd", "WyJhIiwgImIiXQ", encode_cursor((2**80, "b"))],
)
def test_a_forged_cursor_is_refused(rubbish):
    with pytest.raises(Problem) as refused:
        decode_cursor(rubbish)
    assert refused.value.status_code == 422


async def test_a_forged_host_header_appears_in_no_response(harness):
    async with harness.client() as client:
        for path in ("/", "/api/docs", "/api/orders/", "/health/live"):
            response: httpx.Response = await client.get(path, headers={"Host": "evil.example"})
            assert "evil.example" not in response.text + str(response.headers)
