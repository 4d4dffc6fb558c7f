"""Every parser of what comes from outside, fed with what was mutated: none takes long, none breaks, none ends in 500."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Scope

from shared.contracts.envelope import EventHeader, decode_event, decode_header
from shared.contracts.registry import UnreadableEvent
from shared.identity.signing import make_serializer, make_signer
from shared.identity.tracking_tokens import TrackingTokens
from shared.web.api.idempotency import read_idempotency_key, valid_traceparent
from shared.web.api.lists import decode_cursor
from shared.web.api.problems import Problem
from shared.web.forms.held_file_tokens import HeldFileTokens
from shared.web.forms.posted_form import group_pairs
from shared.web.http.byte_ranges import requested_range
from shared.web.http.client_address import ClientAddressResolver, parse_proxies
from tests.support.paths import SAMPLES
from tests.support.services.seeded_application import (
    ADMIN,
    OFFICER,
    TECHNICAL,
    SeededApplication,
    credentials,
    seeded_application,
)

CPU_SECONDS, TRIES = 0.1, 3
"""Of one input, in the thread that parses it."""
BOUNDED = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONG = 20_000


def repeated(*pieces: str) -> st.SearchStrategy[str]:
    """A few pieces many times over, which is what a pattern or a recursion stumbles over."""
    return st.tuples(st.lists(st.sampled_from(pieces), min_size=1, max_size=4), st.integers(1, LONG)).map(
        lambda made: ("".join(made[0]) * made[1])[:LONG]
    )


@st.composite
def mutated(draw: st.DrawFn, *seeds: str) -> str:
    """One of these texts with pieces cut out, doubled, swapped for others or put in."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        piece = draw(
            st.one_of(st.just(""), st.just(text[start:end] * 50), st.text(max_size=6), repeated(*'"\\[{%;,=. 0'))
        )
        text = text[:start] + piece + text[end:]
    return text


def inputs(*seeds: str, pieces: str = "") -> st.SearchStrategy[str]:
    chosen = pieces or "".join(dict.fromkeys("".join(seeds)))
    return st.one_of(mutated(*seeds), repeated(*chosen), st.text(max_size=60))


def measured(parse: Callable[[], Any], allowed: tuple[type[Exception], ...] = ()) -> Any:
    """What the parser makes of it, or the refusal that it is allowed to raise."""

    def tried() -> Any:
        try:
            return parse()
        except allowed as refusal:
            return refusal

    return soon(tried)


def soon(work: Callable[[], Any]) -> Any:
    """Return the result of `work`, which must come within the time allowed.

    Work is repeated: compiling a template or collecting garbage happens once, a slow parser is slow again.
    """
    for _ in range(TRIES):
        began = time.thread_time()
        made = work()
        if time.thread_time() - began < CPU_SECONDS:
            return made
    raise AssertionError(f"took over {CPU_SECONDS} s of processor time, {TRIES} times")


def request_with(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": raw,
        "client": ("10.0.0.1", 1),
    }
    return Request(scope)


@given(inputs("bytes=0-499", "bytes=-500", "bytes=9500-", "bytes=0-0,-1", "bytes = 5 - 9"), st.integers(0, 10**6))
@BOUNDED
def test_ranges(asked: str, size: int):
    part = measured(lambda: requested_range(request_with(range=asked), '"tag"', size), (Problem,))
    if isinstance(part, Problem):
        assert part.status_code == 416
    elif part is not None:
        assert 0 <= part.offset < part.offset + part.length <= size


@given(inputs("203.0.113.7, 10.0.0.2", "2001:db8::1, 10.0.0.1", "unknown", "203.0.113.7:4711", "::ffff:10.0.0.3%eth0"))
@BOUNDED
def test_forwarded_addresses(told: str):
    proxies = ClientAddressResolver(parse_proxies("10.0.0.0/8"))
    assert isinstance(measured(lambda: proxies.resolve(request_with(x_forwarded_for=told).scope)), str)


@given(inputs("simpul=abc; simpul-form=def; lacak=ghi", 'a="b;c"; d=e', "=;=", pieces='a=;", \\'))
@BOUNDED
def test_cookies(sent: str):
    assert isinstance(measured(lambda: request_with(cookie=sent).cookies), dict)


@given(inputs("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
@BOUNDED
def test_trace_contexts(told: str):
    assert measured(lambda: valid_traceparent(told)) in ("", told)


@given(inputs("1f0e7c1a-0c4b-4a86-9a53-9a0f6f0f2f11", "kunci-saya"))
@BOUNDED
def test_idempotency_keys(sent: str):
    measured(lambda: read_idempotency_key(request_with(idempotency_key=sent)), (Problem,))


@given(inputs("WyIyMDI2LTExLTAxVDAwOjAwOjAwIiwiaWQiXQ", "WzEsMl0", "W1tbW1tbXV1dXV1d"))
@BOUNDED
def test_cursors(sent: str):
    key = measured(lambda: decode_cursor(sent), (Problem,))
    assert isinstance(key, Problem) or len(key) == 2


@given(inputs("token", "a" * 43, "é" * 20))
@BOUNDED
def test_tracking_tokens_and_held_file_tokens(sent: str):
    tracking = TrackingTokens(make_signer(b"s" * 32), "http://simpul.example")
    held_files = HeldFileTokens(make_serializer(b"s" * 32, "held-file"), make_signer(b"s" * 32))
    assert measured(lambda: tracking.verify("id", sent)) is False
    assert measured(lambda: tracking.verify_record_code("number", sent)) is False
    assert measured(lambda: held_files.read(sent, "key", 0.0)) is None


def events() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.json"))]


STRANGE_VALUES = (
    "Infinity",
    "-Infinity",
    "NaN",
    "1e999",
    "9" * 5000,
    "null",
    "[]",
    "{}",
    "true",
    '""',
    '"\\ud800"',
    "[" * 5000,
)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """An event whose attributes were exchanged for others, or whose text was mutated."""
    text = draw(st.sampled_from(events()))
    if draw(st.booleans()):
        return draw(mutated(text)).encode("utf-8", "surrogatepass")
    attributes = json.loads(text)
    name = draw(st.sampled_from(sorted(attributes)))
    value = draw(st.one_of(st.sampled_from(STRANGE_VALUES), inputs(str(attributes[name])).map(json.dumps)))
    rest = {key: each for key, each in attributes.items() if key != name}
    return f'{json.dumps(rest)[:-1]},"{name}":{value}}}'.encode("utf-8", "surrogatepass")


@given(envelopes())
@settings(BOUNDED, max_examples=300)
def test_event_envelopes(raw: bytes):
    event = measured(lambda: decode_event(raw), (UnreadableEvent,))
    if not isinstance(event, UnreadableEvent):
        assert all(isinstance(text, str) for text in (event.id, event.source, event.subject, event.traceparent))
        assert all(text.encode() or not text for text in (event.id, event.source, event.subject))
        assert datetime.min.replace(tzinfo=UTC) < event.time < datetime.max.replace(tzinfo=UTC)
        assert 0 <= event.sequence < 2**63
    header = measured(lambda: decode_header(raw), (UnreadableEvent,))
    assert isinstance(header, EventHeader | UnreadableEvent)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=50))
@BOUNDED
def test_pairs_of_forms(pairs: list[tuple[str, str]]):
    assert sum(map(len, measured(lambda: group_pairs(pairs)).values())) == len(pairs)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, SeededApplication]]:
    with asyncio.Runner() as runner:
        opened = seeded_application(tmp_path_factory.mktemp("office"))
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


def answer(running: tuple[asyncio.Runner, SeededApplication], request: httpx.Request) -> httpx.Response:
    """The application's answer; it took no more processor time of the loop's thread than it may."""
    runner, seeded = running

    async def answered() -> httpx.Response:
        async with seeded.harness.http as client:
            return await client.send(request)

    made: httpx.Response = soon(lambda: runner.run(answered()))
    assert made.status_code < 500, (request.method, request.url, made.text)
    return made


BASE = "http://simpul.example"
HEADERS = {
    "Cookie": "simpul=abc; simpul-form=def; lacak=ghi",
    "Authorization": "Bearer token",
    "X-Forwarded-For": "203.0.113.7, 10.0.0.2",
    "Forwarded": 'for="[2001:db8::1]";proto=https',
    "Host": "simpul.example:8000",
    "Origin": "https://simpul.example",
    "Range": "bytes=0-499",
    "If-Range": '"etag"',
    "If-None-Match": 'W/"abc", "def"',
    "Accept-Encoding": "gzip;q=1.0, identity;q=0.5, *;q=0",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Idempotency-Key": "kunci-saya",
    "Last-Event-ID": "12:34",
    "Content-Type": "application/json; charset=utf-8",
    "X-CSRF-Token": "00" * 64,
    "X-Live": "1",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_a_request(running: tuple[asyncio.Runner, SeededApplication], name: str):
    paths = ("/", "/api/session", "/static/simpul.css", "/masuk", "/verifikasi", "/lacak/INT-2026-000001")

    @given(inputs(HEADERS[name]), st.sampled_from(paths), st.sampled_from(("GET", "HEAD", "POST")))
    @settings(BOUNDED, max_examples=30)
    def send(value: str, path: str, method: str) -> None:
        given_headers = [
            (name.encode(), value.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b""))
        ]
        answer(running, httpx.Request(method, BASE + path, headers=given_headers))

    send()


QUERIES = {
    "/api/verification/requests": "limit=50&after=WzEsMl0&unit=Dinas&scope=data&search=rahmat&status=submitted",
    "/api/assignment/requests": "lead=dewi&overdue=true&search=INT-2026&before=WzEsMl0",
    "/api/notification/messages": "request=INT-2026-000001&status=sent&after=WzEsMl0",
    "/api/dead-letters": "service=intake",
}
READERS = {"verification": OFFICER, "assignment": TECHNICAL}


@pytest.mark.slow
@pytest.mark.parametrize("path", QUERIES)
def test_query_strings_and_searches(running: tuple[asyncio.Runner, SeededApplication], path: str):
    who = READERS.get(path.split("/")[2], ADMIN)
    headers = credentials(who, running[1].requests["submitted"])

    @given(inputs(*QUERIES[path].split("&"), QUERIES[path], pieces="&=%+;ax'\"*?_\\ "))
    @settings(BOUNDED, max_examples=60)
    def ask(query: str) -> None:
        encoded = query.encode("utf-8", "surrogatepass").decode("latin-1")
        url = httpx.URL(BASE + path).copy_with(query=httpx.QueryParams({"search": encoded}).__str__().encode())
        answer(running, httpx.Request("GET", url, headers=headers))
        raw = bytes(each for each in query.encode("utf-8", "surrogatepass") if 32 < each < 127 and each != 35)
        answer(running, httpx.Request("GET", httpx.URL(BASE + path).copy_with(query=raw), headers=headers))

    ask()


BODIES = (
    '{"username": "petugas", "password": "", "code": ""}',
    '{"checklist": [{"item": "form", "ok": true, "note": ""}], "acknowledged_warnings": ["sex"]}',
    '{"lead": "dewi", "complexity": "low", "target_date": "2026-12-14", "note": ""}',
    '{"answers": [4, 4, 4, 4, 4, 4, 4, 4, 4], "comment": "x"}',
    '{"note": "x", "percent": 1e400, "percent": NaN, "note": "\\ud800"}',
    '{"reason": "' + "\\ud83d" * 50 + '"}',
    "[" * 5000,
    '{"a":' * 5000,
    "9" * 5000,
)
JSON = {"Content-Type": "application/json"}
TARGETS = (
    "/verification/requests/{id}/verification",
    "/assignment/requests/{id}/assignment",
    "/assignment/requests/{id}/progress",
)


@pytest.mark.slow
def test_json_bodies(running: tuple[asyncio.Runner, SeededApplication]):
    request = running[1].requests["returned"]

    @given(
        inputs(*BODIES, pieces='[]{}",:0\\ue-'),
        st.sampled_from((*TARGETS, "/links", "/staff", "/requests/{number}/survey")),
    )
    @settings(BOUNDED, max_examples=200)
    def send(body: str, target: str) -> None:
        who = OFFICER if "verification" in target else TECHNICAL if "assignment" in target else ADMIN
        headers = credentials("applicant" if "survey" in target else who, request)
        content = body.encode("utf-8", "surrogatepass")
        path = f"/api{target}".format(id=request.id, number=request.number)
        answer(
            running,
            httpx.Request(
                "POST", BASE + path, headers={**headers, "Content-Type": "application/json"}, content=content
            ),
        )

    send()


FORM_PATHS = ("/", "/berkas", "/lacak", "/masuk", "/lacak/INT-2026-000001/lengkapi")
FORMS = (
    "_csrf=00&_key=k&name=Rahmat&description=x%0D%0Ay&letter_date=2026-11-20",
    "username=petugas&password=",
    "held.letter=eyJkb2N1bWVudCI6e319.00&remove=x&_do=look:1:2",
    "a=%ZZ&b=%C0%AF&c=%ED%A0%80&=&&&",
)


@pytest.mark.slow
def test_urlencoded_forms_and_tokens_of_held_files(running: tuple[asyncio.Runner, SeededApplication]):
    @given(
        inputs(*FORMS, pieces="&=%+;a0."),
        st.sampled_from(FORM_PATHS),
    )
    @settings(BOUNDED, max_examples=150)
    def send(body: str, path: str) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer(
            running, httpx.Request("POST", BASE + path, headers=headers, content=body.encode("utf-8", "surrogatepass"))
        )

    send()


def test_a_parser_that_takes_too_long_is_found():
    def count() -> None:
        until = time.thread_time() + 2 * CPU_SECONDS
        while time.thread_time() < until:
            pass

    with pytest.raises(AssertionError, match="processor time"):
        soon(count)
