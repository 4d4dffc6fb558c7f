"""Range requests of applicants and staff, on pages and in the API: interrupted downloads resume, with access check and log."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from shared.contracts.request_state import find_document
from simpul.registry import SERVICE_NAMES
from tests.support.distributed.gateway import gateway
from tests.support.services.intake_harness import LETTER
from tests.support.services.seeded_application import (
    ADMIN,
    OFFICER,
    STRUCTURAL,
    TECHNICAL,
    SeededApplication,
    SeededRequest,
    seeded_application,
)
from tests.support.services.web_harness import served

ETAG = f'"{hashlib.sha256(LETTER).hexdigest()}"'
SIZE = len(LETTER)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SeededApplication]:
    async with seeded_application(tmp_path_factory.mktemp("office")) as opened:
        yield opened


def addresses(request: SeededRequest) -> dict[str, dict[str, str]]:
    """Every path of the letter, with the headers of somebody who may open it."""
    letter = request.documents[0]

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def cookie(token: str) -> dict[str, str]:
        return {"Cookie": token}

    return {
        f"/api/requests/{request.number}/documents/{letter}": bearer(request.token),
        f"/lacak/{request.number}/dokumen/{letter}": cookie(f"lacak={request.token}"),
        f"/api/verification/requests/{request.id}/documents/{letter}": bearer(f"token of {OFFICER}"),
        f"/verifikasi/{request.id}/dokumen/{letter}": cookie(f"simpul=token of {OFFICER}"),
        f"/api/assignment/requests/{request.id}/documents/{letter}": bearer(f"token of {TECHNICAL}"),
        f"/penugasan/{request.id}/dokumen/{letter}": cookie(f"simpul=token of {STRUCTURAL}"),
        f"/pekerjaan/{request.id}/dokumen/{letter}": cookie(f"simpul=token of {TECHNICAL}"),
    }


async def asked(
    seeded: SeededApplication, method: str, path: str, who: dict[str, str], **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with seeded.harness.http as client:
        return await client.request(method, path, headers={**who, **named})


async def test_an_interrupted_download_is_resumed(seeded: SeededApplication):
    for path, who in addresses(seeded.requests["in_progress"]).items():
        whole = await asked(seeded, "GET", path, who)
        assert (whole.status_code, whole.content) == (200, LETTER), path
        assert (whole.headers["accept-ranges"], whole.headers["etag"]) == ("bytes", ETAG), path
        rest = await asked(seeded, "GET", path, who, Range="bytes=100-", If_Range=whole.headers["etag"])
        assert (rest.status_code, whole.content[:100] + rest.content) == (206, LETTER), path
        assert rest.headers["content-range"] == f"bytes 100-{SIZE - 1}/{SIZE}", path
        for name in ("content-disposition", "content-type", "etag", "x-content-type-options", "cache-control"):
            assert rest.headers[name] == whole.headers[name], path
        assert rest.headers["content-length"] == str(SIZE - 100)


@pytest.mark.parametrize(
    ("asked_for", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=5-", 5, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        ("bytes=-999999999999999999999999", 0, SIZE - 1),
        (f"bytes=0-{10**30}", 0, SIZE - 1),
        ("BYTES=0-9", 0, 9),
        (f"bytes={'0' * 5000}5-9", 5, 9),
    ],
)
async def test_a_range_returns_exactly_the_requested_bytes(
    seeded: SeededApplication, asked_for: str, first: int, last: int
):
    path, who = next(iter(addresses(seeded.requests["submitted"]).items()))
    answer = await asked(seeded, "GET", path, who, Range=asked_for)
    assert (answer.status_code, answer.content) == (206, LETTER[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"


WHOLE = ("bytes=0-1,5-9", "bytes=9-5", "items=0-5", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2-3", "0-5", "")


async def test_anything_but_a_single_range_returns_the_whole_document(seeded: SeededApplication):
    path, who = next(iter(addresses(seeded.requests["submitted"]).items()))
    for asked_for in WHOLE:
        answer = await asked(seeded, "GET", path, who, Range=asked_for)
        assert (answer.status_code, answer.content) == (200, LETTER), asked_for
        assert "content-range" not in answer.headers


async def test_a_range_outside_the_document_is_416_with_its_size(seeded: SeededApplication):
    for path, who in addresses(seeded.requests["in_progress"]).items():
        for outside in (f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", f"bytes={10**30}-", "bytes=-0"):
            answer = await asked(seeded, "GET", path, who, Range=outside)
            assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}"), (path, outside)
            kind = "application/problem+json" if path.startswith("/api") else "text/html"
            assert answer.headers["content-type"].partition(";")[0] == kind, path


async def test_a_range_of_another_version_returns_the_whole_document(seeded: SeededApplication):
    path, who = next(iter(addresses(seeded.requests["submitted"]).items()))
    for version in ('"other"', f"W/{ETAG}", "Wed, 21 Oct 2026 07:28:00 GMT", ""):
        answer = await asked(seeded, "GET", path, who, Range="bytes=5-9", If_Range=version)
        assert (answer.status_code, answer.content) == (200, LETTER), version
    assert (await asked(seeded, "GET", path, who, Range=f"bytes={SIZE}-", If_Range='"other"')).status_code == 200


async def test_head_returns_the_size_and_ignores_ranges(seeded: SeededApplication, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for path, who in addresses(seeded.requests["in_progress"]).items():
        caplog.clear()
        answer = await asked(seeded, "HEAD", path, who, Range="bytes=5-9")
        assert (answer.status_code, answer.content) == (200, b""), path
        assert (answer.headers["content-length"], answer.headers["etag"]) == (str(SIZE), ETAG), path
        assert answer.headers["accept-ranges"] == "bytes", path
        assert seeded.requests["in_progress"].documents[0] in caplog.text, path


async def test_a_range_needs_the_same_access_as_the_document(seeded: SeededApplication):
    every = addresses(seeded.requests["in_progress"])
    wrong = {"Authorization": f"Bearer token of {ADMIN}", "Cookie": f"simpul=token of {ADMIN}; lacak=wrong"}
    for path in every:
        for method in ("GET", "HEAD"):
            for who in ({}, wrong):
                answer = await asked(seeded, method, path, who, Range="bytes=5-9")
                assert answer.status_code in (303, 401, 403, 404), (method, path)
                assert LETTER[5:10] not in answer.content or answer.status_code == 303


async def test_a_range_request_is_logged_like_a_download(seeded: SeededApplication, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for path, who in addresses(seeded.requests["in_progress"]).items():
        caplog.clear()
        await asked(seeded, "GET", path, who, Range="bytes=5-9")
        assert f"opened document {seeded.requests['in_progress'].documents[0]}" in caplog.text, path
        assert f"bytes 5-9/{SIZE}" in caplog.text, path


async def test_head_of_a_missing_document_is_404(seeded: SeededApplication):
    request = seeded.requests["returned"]
    path, who = next(iter(addresses(request).items()))
    kept = await seeded.harness.services["intake"].runtime.executor.read(request.id)
    found = find_document(kept.state, request.documents[0]) if kept else None
    assert found is not None
    await seeded.harness.platform.documents.delete(found.key)
    for method in ("GET", "HEAD"):
        assert (await asked(seeded, method, path, who, Range="bytes=5-9")).status_code == 404


async def test_ranges_work_behind_a_real_server(seeded: SeededApplication):
    path, who = next(iter(addresses(seeded.requests["submitted"]).items()))
    async with served(seeded.app, lifespan="off") as (_, port), httpx.AsyncClient() as client:
        got = b""
        while len(got) < SIZE:
            answer = await client.get(
                f"http://127.0.0.1:{port}{path}", headers={**who, "Range": f"bytes={len(got)}-{len(got) + 499}"}
            )
            assert answer.status_code == 206
            got += answer.content
        head = await client.head(f"http://127.0.0.1:{port}{path}", headers=who)
    assert got == LETTER
    assert (head.headers["content-length"], head.content) == (str(SIZE), b"")


async def test_ranges_and_head_work_behind_the_gateway(seeded: SeededApplication):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with served(seeded.app, lifespan="off") as (_, behind), httpx.AsyncClient() as client:
        with gateway(port, {name: [f"http://127.0.0.1:{behind}"] for name in SERVICE_NAMES}):
            for path, who in addresses(seeded.requests["in_progress"]).items():
                url = f"http://127.0.0.1:{port}{path}"
                part = await client.get(url, headers={**who, "Range": "bytes=5-9", "If-Range": ETAG})
                assert (part.status_code, part.content) == (206, LETTER[5:10]), path
                assert part.headers["content-range"] == f"bytes 5-9/{SIZE}", path
                head = await client.head(url, headers=who)
                assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(SIZE)), path
