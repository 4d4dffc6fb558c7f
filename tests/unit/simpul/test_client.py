"""The API client against a transport with scripted responses."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from simpul.client import ApiError, RetryPolicy, SimpulClient
from simpul.client_types import RequestForm

MOVED = {"id": "1", "number": "INT-2026-000001", "status": "withdrawn", "version": 2}
Responder = Callable[[httpx.Request], httpx.Response]


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Sends scripted responses one after another, and records the requests."""

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


async def test_a_retried_command_keeps_its_idempotency_key():
    transport = ScriptedTransport(
        lose_connection, respond(503, {}), respond(429, {}), respond(502, {}), respond(504, {}), respond(200, MOVED)
    )
    assert await client(transport).withdraw("INT-2026-000001", "Batal.") == MOVED
    assert len(transport.requests) == 6
    assert len(set(transport.keys)) == 1


async def test_two_commands_have_different_idempotency_keys():
    transport = ScriptedTransport(respond(200, MOVED), respond(200, MOVED))
    speaker = client(transport)
    await speaker.start("1")
    await speaker.start("1")
    assert len(set(transport.keys)) == 2


async def test_the_client_waits_as_long_as_retry_after_says():
    waiter = Sleeper()
    await client(ScriptedTransport(respond(429, {}, **{"Retry-After": "7"}), respond(200, MOVED)), waiter).start("1")
    assert waiter.slept == [7.0]


async def test_delays_double_while_the_server_does_not_respond():
    waiter = Sleeper()
    await client(
        ScriptedTransport(lose_connection, lose_connection, lose_connection, respond(200, MOVED)), waiter
    ).start("1")
    assert waiter.slept == [0.1, 0.2, 0.4]


async def test_the_transport_error_is_raised_after_the_last_retry():
    with pytest.raises(httpx.ReadError):
        await client(ScriptedTransport(*[lose_connection] * 50)).start("1")


async def test_an_unavailable_server_is_an_api_error_with_its_message():
    with pytest.raises(ApiError, match=r"503: Sedang dipulihkan\."):
        await client(ScriptedTransport(*[respond(503, {"detail": "Sedang dipulihkan."})] * 50)).start("1")


async def test_a_refusal_is_not_retried_and_keeps_its_message_and_fields():
    problem = {"detail": "Periksa isian.", "errors": [{"field": "name", "message": "wajib diisi"}]}
    transport = ScriptedTransport(respond(422, problem))
    with pytest.raises(ApiError) as refusal:
        await client(transport).start("1")
    assert (refusal.value.status, refusal.value.problem) == (422, problem)
    assert refusal.value.message == "422: Periksa isian. (name: wajib diisi)"
    assert len(transport.requests) == 1


async def test_a_form_without_files_is_multipart_too():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).resubmit("INT-2026-000001", RequestForm(letter_number="1/2"), replaces=["a", "b"])
    [request] = transport.requests
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert request.content.count(b'name="replaces"') == 2
    assert b"filename" not in request.content


async def test_an_empty_optional_field_is_omitted():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).progress("1", "Berjalan.")
    assert transport.requests[0].content == b'{"note":"Berjalan."}'


async def test_a_percentage_of_zero_is_sent():
    transport = ScriptedTransport(respond(200, MOVED))
    await client(transport).progress("1", "Berjalan.", 0)
    assert transport.requests[0].content == b'{"note":"Berjalan.","percent":0}'


async def test_all_requests_follows_a_list_to_its_last_page():
    pages = ({"items": [{"id": "1"}], "next": "x"}, {"items": [{"id": "2"}], "next": None})
    transport = ScriptedTransport(*(respond(200, page) for page in pages))
    assert [item["id"] async for item in client(transport).all_requests("verification", limit=1)] == ["1", "2"]
    assert transport.requests[1].url.params["after"] == "x"
