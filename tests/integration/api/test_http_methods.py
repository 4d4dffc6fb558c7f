"""HTTP methods on every route: HEAD responds like GET, and `Allow` is complete, also in the response to OPTIONS."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.identity.accounts import Role
from shared.web.auth.access import Access, declared_access
from tests.support.services.seeded_application import (
    ADMIN,
    OFFICER,
    STRUCTURAL,
    TECHNICAL,
    SeededApplication,
    credentials,
    seeded_application,
)
from tests.support.services.web_harness import served

STAFF = {OFFICER: Role.OFFICER, STRUCTURAL: Role.STRUCTURAL, TECHNICAL: Role.TECHNICAL, ADMIN: Role.ADMIN}
PLAIN = {"Accept-Encoding": "identity"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CHANGES = frozenset({"date", "x-request-id", "set-cookie", "content-security-policy"})
"""Headers that differ between responses, because they contain random values or the time."""
DRAWN = "/api/verification/requests/{request_id}/documents/{document_id}/pages/{page}"
MEASURED = frozenset({"/metrics"})
"""Their content, and so its length, changes with every call."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SeededApplication]:
    async with seeded_application(tmp_path_factory.mktemp("office")) as opened:
        yield opened


def routes(app: FastAPI) -> dict[str, set[str]]:
    """The methods that the routes declare, by path."""
    found: dict[str, set[str]] = {}
    for route in iter_route_contexts(app.routes):
        found.setdefault(route.path or "", set()).update(route.methods or ())
    return found


def filled_in(seeded: SeededApplication, path: str, status: str = "in_progress") -> str:
    examples = seeded.examples(status)
    return re.sub(r"\{(\w+)\}", lambda name: examples[name[1]], path)


def comparable(answer: httpx.Response, path: str) -> dict[str, str]:
    left_out = CHANGES | ({"content-length"} if path in MEASURED else set())
    return {name: value for name, value in answer.headers.items() if name not in left_out}


def headers_of(seeded: SeededApplication, who: str) -> dict[str, str]:
    bearer = credentials(who, seeded.requests["in_progress"])
    token = bearer.get("Authorization", "").partition(" ")[2]
    cookie = f"lacak={token}" if who == "applicant" else f"simpul={token}"
    return {**bearer, "Cookie": cookie} if who else {}


async def test_head_has_the_headers_of_get_and_no_body(seeded: SeededApplication):
    async with seeded.harness.http as client:
        for route in iter_route_contexts(seeded.app.routes):
            path = route.path or ""
            if "GET" in (route.methods or ()) and not path.endswith("/live"):
                for who in those_who_may(declared_access(route.dependant)):
                    await compare(client, seeded, path, who)


def those_who_may(access: Access | None) -> tuple[str, str]:
    """Users who may call the route."""
    if not isinstance(access, frozenset):
        return "applicant", ""
    return next(who for who, role in STAFF.items() if role in access), ""


async def compare(client: httpx.AsyncClient, seeded: SeededApplication, path: str, who: str) -> None:
    # A compressed page differs in length from the next, because its token differs.
    address, headers = filled_in(seeded, path), {**headers_of(seeded, who), **PLAIN}
    got = await client.get(address, headers=headers)
    client.cookies.clear()
    head = await client.head(address, headers=headers)
    assert (head.status_code, head.content) == (got.status_code, b""), (path, who, head.text)
    assert comparable(head, path) == comparable(got, path), (path, who)
    assert ("set-cookie" in head.headers) == ("set-cookie" in got.headers), (path, who)
    client.cookies.clear()


async def test_head_of_a_live_stream_opens_no_stream(seeded: SeededApplication):
    async with seeded.harness.http as client:
        for service, who in (("intake", "applicant"), ("verification", OFFICER), ("assignment", TECHNICAL)):
            number = seeded.requests["in_progress"].number
            headers = {**headers_of(seeded, who), "Cookie": ""}
            head = await client.head(f"/api/{service}/live", params={"number": number}, headers=headers)
            assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert seeded.app.state.streams.open_count == 0


async def test_head_of_a_page_image_renders_nothing(seeded: SeededApplication):
    page = filled_in(seeded, DRAWN, "returned")
    head = await seeded.harness.call(OFFICER, "HEAD", page)
    assert (head.status_code, head.headers["content-type"]) == (200, "image/png")
    assert "content-length" not in head.headers
    nowhere = page.replace(seeded.requests["returned"].documents[0], "none")
    assert (await seeded.harness.call(OFFICER, "HEAD", nowhere)).status_code == 404


async def test_allow_lists_the_methods_of_a_path(seeded: SeededApplication):
    async with seeded.harness.http as client:
        for path, declared in routes(seeded.app).items():
            address = filled_in(seeded, path)
            expected = declared | {"OPTIONS"} | ({"HEAD"} if "GET" in declared else set())
            asked = await client.options(address)
            assert (asked.status_code, asked.content) == (204, b""), path
            assert named_in(asked) >= expected, path
            for method in set(METHODS) - named_in(asked):
                answer = await client.request(method, address)
                assert answer.status_code == 405, (method, path)
                assert named_in(answer) == named_in(asked), (method, path)


def named_in(answer: httpx.Response) -> set[str]:
    named = answer.headers["allow"].split(", ")
    assert len(set(named)) == len(named), named
    return set(named)


async def test_a_method_in_allow_is_not_refused_as_unknown(seeded: SeededApplication):
    async with seeded.harness.http as client:
        for path in routes(seeded.app):
            if path.endswith("/live"):
                continue
            address = filled_in(seeded, path)
            for method in named_in(await client.options(address)):
                assert (await client.request(method, address)).status_code != 405, (method, path)


async def test_allow_covers_all_routes_that_match_a_path(seeded: SeededApplication):
    async with seeded.harness.http as client:
        assert named_in(await client.put("/api/session")) == {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}
        assert named_in(await client.get("/api/links")) == {"POST", "OPTIONS"}
        assert (await client.head("/api/links")).status_code == 405


async def test_options_of_an_unknown_path_is_not_found(seeded: SeededApplication):
    async with seeded.harness.http as client:
        answer = await client.options("/api/tidak-ada")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


STRANGE = (
    "%0A",
    "%0D%0A",
    "%00",
    "%7F",
    "%C2%85",
    "%E2%80%A8",
    "%E2%80%AE",
    "%EF%BB%BF",
    "%1B[31m",
    "%FF%FE",
    "%ED%A0%80",
)


@pytest.mark.parametrize("strange", STRANGE)
async def test_an_api_path_with_invalid_bytes_gets_a_problem(seeded: SeededApplication, strange: str):
    async with seeded.harness.http as client:
        for place in ("/api/{}", "/api/units{}", "/api/{}/units", "/api/requests/{}"):
            for method in ("GET", "POST", "PUT"):
                path = place.format(strange)
                answer = await client.request(method, path, headers={"Authorization": "Bearer x"})
                assert answer.status_code in (404, 405), (method, path)
                assert answer.headers["content-type"] == "application/problem+json", (method, path)


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/tidak-ada", "/api/requests/a/b/c/d", "/api//units", "/api/%2e%2e/units"]
)
async def test_an_unknown_api_path_gets_a_problem(seeded: SeededApplication, path: str):
    async with seeded.harness.http as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/api/requests%0A", "/lacak%0A", "/berkas%0A", "/%0A"])
async def test_a_path_with_a_trailing_newline_is_another_path(seeded: SeededApplication, path: str):
    """A regular expression that ends in `$` also matches before the newline, while limits by path do not."""
    async with seeded.harness.http as client:
        assert (await client.post(path, data={"name": "x"})).status_code == 404


async def test_a_real_server_sends_the_length_and_no_body_for_head(seeded: SeededApplication):
    async with served(seeded.app, lifespan="off") as (_, port), httpx.AsyncClient(headers=PLAIN) as client:
        for path in ("/", "/api/units", "/health/live", "/tidak-ada"):
            got = await client.get(f"http://127.0.0.1:{port}{path}")
            head = await client.head(f"http://127.0.0.1:{port}{path}")
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers["content-length"] == str(len(got.content)) != "0"
            again = await client.get(f"http://127.0.0.1:{port}{path}")
            assert len(again.content) == len(got.content)
