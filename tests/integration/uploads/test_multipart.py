"""Incomplete or invalid multipart bodies are refused with a message and never read in part."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.datastructures import FormData, UploadFile

from shared.web.api.problems import Problem
from shared.web.auth.access import GuardedRoute, public
from shared.web.forms.form_reader import receive_form
from shared.web.forms.multipart import FormLimits, FormParser, parse_form, require_multipart
from tests.support.services.web_harness import PDF, WebHarness, web_harness

CUT = "Formulir ini terputus sebelum semuanya sampai, dan tidak ada yang disimpan. Silakan kirim kembali."
CPU_SECONDS = 0.1
LARGEST = 64 * 1024
LENIENT = partial(FormParser, skip_oversized=True)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--bb\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


FIELDS = part("name", b"Rahmat Contoh") + part("letter_date", b"2026-03-31")
FILES = part("letter", PDF, "surat.pdf") + part("requirements", PDF, "a.pdf") + part("requirements", PDF, "b.pdf")
END = b"--bb--\r\n"
WHOLE = FIELDS + FILES + END
LAST = WHOLE.rindex(b"--bb\r\n")


def forms_of_pages() -> APIRouter:
    """Return a route that reads a form as pages do and returns its parts."""
    router = APIRouter(route_class=GuardedRoute, dependencies=[Depends(public())])

    @router.post("/api/requests/")
    async def received(request: Request) -> dict[str, list[str]]:
        async with receive_form(request, 10, FormLimits()) as came:
            return {"texts": list(came.texts), "files": [upload.filename for upload in came.uploads]}

    return router


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path, forms_of_pages()) as made:
        yield made


async def sent(harness: WebHarness, body: bytes, path: str = "/api/requests", kind: str = "", **headers: str):
    given = {"Content-Type": kind or "multipart/form-data; boundary=bb", **headers}
    async with harness.client() as client:
        return await client.post(path, content=body, headers=given)


def kept(harness: WebHarness) -> list[Path]:
    return [path for path in harness.platform.settings.documents.rglob("*") if path.is_file()]


PATHS = pytest.mark.parametrize("path", ["/api/requests", "/api/requests/"])


@PATHS
@pytest.mark.parametrize(
    "body",
    [
        WHOLE.removesuffix(END),
        WHOLE.removesuffix(b"--\r\n"),
        WHOLE.removesuffix(b"-\r\n"),
        WHOLE[: LAST + 30],
        WHOLE[: WHOLE.rindex(PDF) + 9],
        WHOLE[: WHOLE.rindex(b"\r\n\r\n") + 4],
        WHOLE[: WHOLE.rindex(b"\r\n\r\n") + 2],
        FIELDS[:-10],
        b"",
    ],
    ids=[
        "no end",
        "a part begun",
        "half an end",
        "in a head",
        "in a file",
        "an empty file",
        "half a head",
        "text",
        "nothing",
    ],
)
async def test_a_body_that_ends_too_soon_is_refused_and_nothing_is_stored(harness: WebHarness, path: str, body: bytes):
    answer = await sent(harness, body, path)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"] == CUT
    assert kept(harness) == []


@PATHS
@pytest.mark.parametrize(
    "body",
    [WHOLE + part("requirements", PDF, "c.pdf") + END, WHOLE + b"rest", b"\r\nlost" + WHOLE, b"lost\r\n" + WHOLE],
    ids=["after the end", "a rest", "before the beginning", "text before the beginning"],
)
async def test_what_stands_outside_of_the_form_is_not_lost_in_silence(harness: WebHarness, path: str, body: bytes):
    assert (await sent(harness, body, path)).status_code == 400
    assert kept(harness) == []


@PATHS
async def test_a_part_that_says_twice_what_it_is_is_refused(harness: WebHarness, path: str):
    twice = b'--bb\r\nContent-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"\r\n\r\n1\r\n'
    assert (await sent(harness, twice + WHOLE, path)).status_code == 400


@PATHS
async def test_blank_lines_around_a_form_are_nothing_that_is_lost(harness: WebHarness, path: str):
    assert (await sent(harness, b"\r\n\r\n" + WHOLE + b" \r\n\r\n", path)).status_code == 200
    assert (await sent(harness, WHOLE.removesuffix(b"\r\n"), path)).status_code == 200


async def test_a_file_that_mentions_its_boundary_is_taken_in_whole(harness: WebHarness):
    body = PDF + b"see --bb-- and --bb\r\n and\r\n--b \r\n-- "
    answer = await sent(harness, FIELDS + part("letter", body, "a.pdf") + part("requirements", PDF, "b.pdf") + END)
    assert answer.status_code == 200
    assert {path.stat().st_size for path in kept(harness)} == {len(body), len(PDF)}


async def test_a_file_named_in_the_extended_way_alone_is_a_file(harness: WebHarness):
    extended = (
        b"--bb\r\nContent-Disposition: form-data; name=\"letter\"; filename*=utf-8''surat%20caf%C3%A9.pdf\r\n\r\n"
    )
    body = FIELDS + extended + PDF + b"\r\n" + part("requirements", PDF, "b.pdf") + END
    answer = await sent(harness, body)
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()["documents"]] == ["surat café.pdf", "b.pdf"]


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "utf-16", "hex", "klingon", "a\tb"])
@PATHS
async def test_character_sets_that_no_browser_sends_are_refused(harness: WebHarness, path: str, charset: str):
    answer = await sent(harness, WHOLE, path, f"multipart/form-data; boundary=bb; charset={charset}")
    assert answer.status_code == 415
    assert answer.json()["detail"] == "Kirim isian formulir ini dalam UTF-8."


async def test_a_body_shorter_than_its_head_says_is_refused(harness: WebHarness):
    answer = await sent(harness, WHOLE, **{"Content-Length": str(len(WHOLE) + 10)})
    assert answer.status_code == 400
    assert kept(harness) == []


def test_of_a_body_little_is_held_in_memory():
    files = b"".join(part("requirements", bytes(100_000), f"{number}.pdf") for number in range(20))
    form = read(FormParser, files + END, LARGEST, "multipart/form-data; boundary=bb")
    assert isinstance(form, FormData)
    on_disk = [isinstance(item, UploadFile) and item.file._rolled for item in form.getlist("requirements")]  # type: ignore[attr-defined]
    assert on_disk == [False] * 3 + [True] * 17
    large = read(
        FormParser, part("letter", bytes(300_000), "besar.pdf") + END, LARGEST, "multipart/form-data; boundary=bb"
    )
    assert isinstance(large, FormData)
    assert large["letter"].file._rolled  # type: ignore[union-attr]
    texts = b"".join(part(f"text {number}", bytes(60_000)) for number in range(20))
    assert read(FormParser, texts + END, LARGEST, "multipart/form-data; boundary=bb") == 422


# Whatever comes


PIECES = some.sampled_from(
    [
        *(
            b"--bb",
            b"--bb\r\n",
            b"--bb--",
            b"\r\n",
            b"\n",
            b"\r",
            b"--",
            b'"',
            b";",
            b":",
            b"\0",
            b"\xff",
            b"filename=",
        ),
        *(END, PDF, part("requirements", PDF, "c.pdf"), part("name", b"x")),
        *(b"x" * 3000, b"\r\n--b" * 500, b'form-data; name="' * 90),
    ]
)


@some.composite
def bodies(draw: some.DrawFn) -> bytes:
    """A right form, some places of which were cut out, repeated or written over."""
    body = WHOLE
    for _ in range(draw(some.integers(0, 6))):
        start = draw(some.integers(0, len(body)))
        end = draw(some.integers(start, min(len(body), start + 60)))
        body = body[:start] + draw(PIECES | some.binary(max_size=20)) * draw(some.integers(0, 3)) + body[end:]
    return body[:LARGEST]


def in_chunks(body: bytes, size: int) -> Iterator[bytes]:
    yield from (body[start : start + size] for start in range(0, len(body), size))


def read(kind: Callable[..., FormParser], body: bytes, size: int, content_type: str) -> FormData | int:
    """The form, or the status of its refusal; anything else that is raised would be answered with 500."""
    chunks = in_chunks(body, size)

    async def receive():
        piece = next(chunks, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def form() -> FormData | int:
        scope = {"type": "http", "headers": [(b"content-type", content_type.encode("latin-1"))]}
        try:
            return await parse_form(kind(require_multipart(Request(scope, receive)), 40, FormLimits()))
        except Problem as problem:
            return problem.status_code

    return asyncio.run(form())


def cpu_of(call) -> float:
    """Seconds; of several, since what else the process does is counted too."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
        if spent[-1] < CPU_SECONDS:
            break
    return min(spent)


DELIMITER = re.compile(rb"\r\n--bb(?:[ \t]*\r\n|--)")


def split_parts(body: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return what precedes the first part, the content of each part, and what follows the last one.

    The blank line behind the header of a part does not begin a delimiter.
    """
    body, contents = b"\r\n" + body.lstrip(b"\r\n"), list[bytes]()
    delimiter = DELIMITER.search(body)
    assert delimiter is not None
    before = body[: delimiter.start()]
    while not delimiter[0].endswith(b"--"):
        # The end of the delimiter's line begins the blank line of a part without a header.
        content_start = body.index(b"\r\n\r\n", delimiter.end() - 2) + 4
        following = DELIMITER.search(body, content_start)
        assert following is not None
        contents.append(body[content_start : following.start()])
        delimiter = following
    return before, contents, body[delimiter.end() :]


KINDS = some.sampled_from([FormParser, LENIENT])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(kind=KINDS, body=bodies(), size=some.integers(1, 70_000))
def test_a_changed_body_is_a_whole_form_or_refused(kind: Callable[..., FormParser], body: bytes, size: int):
    size = max(size, len(body) // 200)
    outcome: list[FormData | int] = []
    assert cpu_of(lambda: outcome.append(read(kind, body, size, "multipart/form-data; boundary=bb"))) < CPU_SECONDS
    if isinstance(outcome[0], int):
        assert 400 <= outcome[0] < 500
        return
    before, contents, after = split_parts(body)
    assert not (before + after).strip()
    assert len(contents) == len(outcome[0].multi_items())
    for (_, item), content in zip(outcome[0].multi_items(), contents, strict=True):
        if isinstance(item, UploadFile):
            assert item.file.read() == content


def test_a_text_may_begin_like_a_delimiter():
    text = '--bb\r\nContent-Disposition: form-data; name="b"\r\n\r\n1'
    outcome = read(FormParser, part("a", text.encode()) + b"--bb--\r\n", LARGEST, "multipart/form-data; boundary=bb")
    assert isinstance(outcome, FormData)
    assert outcome.multi_items() == [("a", text)]


@settings(deadline=None, max_examples=100)
@given(kind=KINDS, content_type=some.text(some.characters(max_codepoint=255), max_size=200))
def test_a_changed_content_type_is_a_form_or_refused(kind: Callable[..., FormParser], content_type: str):
    outcome = read(kind, WHOLE, LARGEST, f"multipart/form-data; boundary=bb{content_type}")
    assert not isinstance(outcome, int) or 400 <= outcome < 500


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n" * (LARGEST // 2),
        b"\r" * LARGEST,
        b"--bb\r\n" * (LARGEST // 6),
        b'--bb\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"\r\n--b" * (LARGEST // 5),
        b'--bb\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"\r" * LARGEST,
        b"--bb\r\n" + b"a:b\r\n" * (LARGEST // 5),
        b"--bb\r\nContent-Disposition: form-data" + b";" * LARGEST,
        part("a", b"") * (LARGEST // 50),
        part("a", b"", "b") * (LARGEST // 60),
    ],
)
@pytest.mark.parametrize("size", [LARGEST, 997])
def test_what_is_made_to_take_long_does_not(body: bytes, size: int):
    assert cpu_of(lambda: read(LENIENT, body[:LARGEST], size, "multipart/form-data; boundary=bb")) < CPU_SECONDS
