"""The client of the HTTP API, against a server that answers as the script says."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from simpul.client import ApiError, RetryPolicy, SimpulClient
from simpul.client_types import RequestForm

MOVED = {"id": "1", "number": "INT-2026-000001", "status": "withdrawn", "version": 2}
Responder = Callable[[httpx.Request], httpx.Response]


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers one request after another as told, and keeps the requests."""

    def __init__(self, *responders: Responder) -> None:
        self.responders, self.requests = list(responders), list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return self.responders.pop(0)(request)

    @property
    def keys(self) -> list[str]:
        return [request.headers["Idempotency-Key"] for request in self.requests]


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def respond(status: int, content: object, **headers: str) -> Responder:
    return lambda request: httpx.Response(status, json=content, headers=headers)


def lose_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("connection lost", request=request)


def client(transport: ScriptedTransport, waiter: Sleeper | None = None) -> SimpulClient:
    http = httpx.AsyncClient(base_url="http://simpul.example", transport=transport)
    return SimpulClient(http, "token", RetryPolicy(timeout_seconds=10, sleep=waiter or Sleeper()))


async def test_a_repeated_command_keeps_its_key():
    transport = ScriptedTransport(
        lose_connection, respond(503, {}), respond(429, {}), respond(502, {}), respond(504, {}), respond(200, MOVED)
    )
    assert await client(transport).withdraw("INT-2026-000001", "Batal.") == MOVED
    assert len(transport.requests) == 6
    assert len(set(transport.keys)) == 1


async def test_two_commands_have_two_keys():
    transport = ScriptedTransport(respond(200, MOVED), respond(200, MOVED))
    speaker = client(transport)
    await speaker.start("1")
    await speaker.start("1")
    assert len(set(transport.keys)) == 2


async def test_it_waits_as_long_as_the_server_asks():
    waiter = Sleeper()
    await client(ScriptedTransport(respond(429, {}, **{"Retry-After": "7"}), respond(200, MOVED)), waiter).start("1")
    assert waiter.slept == [7.0]


async def test_pauses_grow_while_the_server_is_away():
    waiter = Sleeper()
    await client(
        ScriptedTransport(lose_connection, lose_connection, lose_connection, respond(200, MOVED)), waiter
    ).start("1")
    assert waiter.slept == [0.1, 0.2, 0.4]


async def test_a_server_that_stays_away_is_an_error_in_the_end():
    with pytest.raises(httpx.ReadError):
        await client(ScriptedTransport(*[lose_connection] * 50)).start("1")


async def test_a_server_that_stays_down_is_an_error_with_its_sentence():
    with pytest.raises(ApiError, match=r"503: Sedang dipulihkan\."):
        await client(ScriptedTransport(*[respond(503, {"detail": "Sedang dipulihkan."})] * 50)).start("1")


async def test_a_refusal_is_not_repeated_and_keeps_its_sentence_and_fields():
    problem = {"detail": "Periksa isian.", "errors": [{"field": "name", "message": "wajib diisi"}]}
    transport = ScriptedTransport(respond(422, problem))
    with pytest.raises(ApiError) as refusal:
        await client(transport).start("1")
    assert (refusal.value.status, refusal.value.problem) == (422, problem)
    assert refusal.value.message == "422: Periksa isian. (name: wajib diisi)"
    assert len(transport.requests) == 1


async def test_a_form_without_files_is_multipart_all_the_same():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).resubmit("INT-2026-000001", RequestForm(letter_number="1/2"), replaces=["a", "b"])
    [request] = transport.requests
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert request.content.count(b'name="replaces"') == 2
    assert b"filename" not in request.content


async def test_an_optional_field_that_says_nothing_is_left_out():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).progress("1", "Berjalan.")
    assert transport.requests[0].content == b'{"note":"Berjalan."}'


async def test_a_percentage_of_zero_is_sent():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).progress("1", "Berjalan.", 0)
    assert transport.requests[0].content == b'{"note":"Berjalan.","percent":0}'


async def test_a_list_is_followed_to_its_last_page():
    pages = ({"items": [{"id": "1"}], "next": "x"}, {"items": [{"id": "2"}], "next": None})
    transport = ScriptedTransport(*(respond(200, page) for page in pages))
    assert [item["id"] async for item in client(transport).all_requests("verification", limit=1)] == ["1", "2"]
    assert transport.requests[1].url.params["after"] == "x"
