"""The client of the HTTP API, against a server that answers as the script says."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from services.cli.client import ApiError, Patience, SimpulClient
from services.cli.shapes import Application

MOVED = {"id": "1", "number": "INT-2026-000001", "status": "withdrawn", "version": 2}
Answer = Callable[[httpx.Request], httpx.Response]


class Scripted(httpx.AsyncBaseTransport):
    """Answers one request after another as told, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return self.answers.pop(0)(request)

    @property
    def keys(self) -> list[str]:
        return [request.headers["Idempotency-Key"] for request in self.requests]


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def says(status: int, content: object, **headers: str) -> Answer:
    return lambda request: httpx.Response(status, json=content, headers=headers)


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("connection lost", request=request)


def client(script: Scripted, sleeper: Sleeper | None = None) -> SimpulClient:
    http = httpx.AsyncClient(base_url="http://simpul.example", transport=script)
    return SimpulClient(http, "token", Patience(seconds=10, sleep=sleeper or Sleeper()))


async def test_a_repeated_command_keeps_its_key():
    script = Scripted(lost, says(503, {}), says(429, {}), says(502, {}), says(504, {}), says(200, MOVED))
    assert await client(script).withdraw("INT-2026-000001", "Batal.") == MOVED
    assert len(script.requests) == 6
    assert len(set(script.keys)) == 1


async def test_two_commands_have_two_keys():
    script = Scripted(says(200, MOVED), says(200, MOVED))
    speaker = client(script)
    await speaker.start("1")
    await speaker.start("1")
    assert len(set(script.keys)) == 2


async def test_it_waits_as_long_as_the_server_asks():
    sleeper = Sleeper()
    await client(Scripted(says(429, {}, **{"Retry-After": "7"}), says(200, MOVED)), sleeper).start("1")
    assert sleeper.slept == [7.0]


async def test_pauses_grow_while_the_server_is_away():
    sleeper = Sleeper()
    await client(Scripted(lost, lost, lost, says(200, MOVED)), sleeper).start("1")
    assert sleeper.slept == [0.1, 0.2, 0.4]


async def test_a_server_that_stays_away_is_an_error_in_the_end():
    with pytest.raises(httpx.ReadError):
        await client(Scripted(*[lost] * 50)).start("1")


async def test_a_server_that_stays_down_is_an_error_with_its_sentence():
    with pytest.raises(ApiError, match=r"503: Sedang dipulihkan\."):
        await client(Scripted(*[says(503, {"detail": "Sedang dipulihkan."})] * 50)).start("1")


async def test_a_refusal_is_not_repeated_and_keeps_its_sentence_and_fields():
    problem = {"detail": "Periksa isian.", "errors": [{"field": "name", "message": "wajib diisi"}]}
    script = Scripted(says(422, problem))
    with pytest.raises(ApiError) as refusal:
        await client(script).start("1")
    assert (refusal.value.status, refusal.value.problem) == (422, problem)
    assert refusal.value.sentence == "422: Periksa isian. (name: wajib diisi)"
    assert len(script.requests) == 1


async def test_a_form_without_files_is_multipart_all_the_same():
    script = Scripted(says(200, MOVED))
    await client(script).resubmit("INT-2026-000001", Application(letter_number="1/2"), replaces=["a", "b"])
    [request] = script.requests
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert request.content.count(b'name="replaces"') == 2
    assert b"filename" not in request.content


async def test_an_optional_field_that_says_nothing_is_left_out():
    script = Scripted(says(200, MOVED))
    await client(script).progress("1", "Berjalan.")
    assert script.requests[0].content == b'{"note":"Berjalan."}'


async def test_a_percentage_of_zero_is_sent():
    script = Scripted(says(200, MOVED))
    await client(script).progress("1", "Berjalan.", 0)
    assert script.requests[0].content == b'{"note":"Berjalan.","percent":0}'


async def test_a_list_is_followed_to_its_last_page():
    pages = ({"items": [{"id": "1"}], "next": "x"}, {"items": [{"id": "2"}], "next": None})
    script = Scripted(*(says(200, page) for page in pages))
    assert [item["id"] async for item in client(script).all_requests("verification", limit=1)] == ["1", "2"]
    assert script.requests[1].url.params["after"] == "x"
