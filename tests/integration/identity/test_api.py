"""Sign-in, sessions, authorization and staff accounts over the JSON API."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from fastapi import APIRouter

from shared.identity.accounts import Role, Session
from shared.web.auth.access import GuardedRoute
from tests.support.services.identity_harness import ANOTHER, PASSWORD, IdentityHarness, open_identity_harness

pytestmark = pytest.mark.slow

TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WRONG = "wrong but long enough"
JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "https://elsewhere.example"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[IdentityHarness]:
    opened = await open_identity_harness(tmp_path)
    await opened.staff("nurlaila", Role.OFFICER)
    await opened.staff("siti", Role.OFFICER, totp=TOTP)
    await opened.staff("hasan", Role.ADMIN)
    yield opened
    opened.file.close()


@pytest.fixture
async def client(harness: IdentityHarness) -> AsyncIterator[httpx.AsyncClient]:
    async with harness.client() as opened:
        yield opened


async def sign_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
    return await client.post("/api/session", json={"username": username, "password": password, **more})


async def token_of(client: httpx.AsyncClient, username: str) -> str:
    """Sign in and return the token, without the cookie in the client."""
    response = await sign_in(client, username)
    client.cookies.clear()
    return str(response.json()["token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def who(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/api/session", headers=bearer(token))).status_code


# Signing in


async def test_signing_in_returns_the_account(client: httpx.AsyncClient):
    response = await sign_in(client, "nurlaila")
    answer = response.json()
    assert response.status_code == 200
    assert set(answer) == {"token", "username", "name", "roles", "csrf"}
    assert (answer["username"], answer["name"], answer["roles"]) == ("nurlaila", "Nurlaila Contoh", ["officer"])
    assert response.headers["Cache-Control"] == "no-store"
    again = await client.get("/api/session")
    assert again.json() == {key: value for key, value in answer.items() if key != "token"}


async def test_a_username_is_case_insensitive(client: httpx.AsyncClient):
    assert (await sign_in(client, " Nurlaila ")).json()["username"] == "nurlaila"


async def test_all_wrong_credentials_get_the_same_response(harness: IdentityHarness, client: httpx.AsyncClient):
    await harness.staff("samsul", Role.OFFICER, active=False)
    answers = [
        await sign_in(client, "nobody"),
        await sign_in(client, "nurlaila", WRONG),
        await sign_in(client, "nurlaila", ""),
        await sign_in(client, "samsul"),
        await sign_in(client, "siti"),
        await sign_in(client, "siti", code="000000"),
        await sign_in(client, "siti", WRONG, code=pyotp.TOTP(TOTP).at(harness.clock.now)),
        await sign_in(client, "nurlaila", PASSWORD + " " * 300),
    ]
    half = json.dumps({"username": "nurlaila", "password": "\ud800" * 12})  # a lone surrogate cannot be encoded
    answers.append(await client.post("/api/session", content=half, headers=JSON))
    assert {(a.status_code, a.text, a.headers.get("Set-Cookie")) for a in answers} == {(401, answers[0].text, None)}


@pytest.mark.usefixtures("real_password_hashing")
async def test_an_unknown_account_takes_as_long_as_a_known_one(harness: IdentityHarness, client: httpx.AsyncClient):
    taken: dict[str, list[float]] = {"nurlaila": [], "nobody": []}
    for _ in range(3):
        for name, times in taken.items():
            start = time.process_time()  # whatever else the machine does
            assert (await sign_in(client, name, WRONG)).status_code == 401
            times.append(time.process_time() - start)
    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.4 < unknown / known < 2.5


@pytest.mark.parametrize("name", ["nurlaila", "nobody"])
async def test_the_eleventh_failure_in_fifteen_minutes_is_429(
    harness: IdentityHarness, client: httpx.AsyncClient, name: str
):
    for _ in range(10):
        assert (await sign_in(client, name, WRONG)).status_code == 401
        harness.clock.advance(minutes=1)
    refused = await sign_in(client, name)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 5 * 60
    assert (await sign_in(client, "hasan")).status_code == 200
    harness.clock.advance(seconds=5 * 60 + 1)
    assert (await sign_in(client, name, WRONG)).status_code == 401


async def test_failures_outside_the_window_lock_nobody_out(harness: IdentityHarness, client: httpx.AsyncClient):
    for _ in range(20):
        assert (await sign_in(client, "nurlaila", WRONG)).status_code == 401
        harness.clock.advance(minutes=2)
    assert (await sign_in(client, "nurlaila")).status_code == 200


async def test_parallel_guesses_get_no_extra_attempts(client: httpx.AsyncClient):
    answers = await asyncio.gather(*(sign_in(client, "nurlaila", WRONG) for _ in range(30)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 20


async def test_one_address_cannot_try_many_usernames(harness: IdentityHarness, client: httpx.AsyncClient):
    answers = await asyncio.gather(*(sign_in(client, f"name{number}", WRONG) for number in range(55)))
    assert sum(answer.status_code == 429 for answer in answers) == 5
    assert (await sign_in(client, "hasan")).status_code == 429
    async with harness.client("192.0.2.7") as elsewhere:
        assert (await sign_in(elsewhere, "hasan")).status_code == 200


async def test_neighbours_in_an_ipv6_network_count_as_one_address(harness: IdentityHarness):
    for number in range(50):
        await harness.store.count_attempt({"address:2001:db8::/64": 50}, harness.clock.now, harness.clock.now)
        assert number < 50
    async with harness.client("2001:db8::77") as neighbour, harness.client("2001:db8:1::77") as elsewhere:
        assert (await sign_in(neighbour, "hasan")).status_code == 429
        assert (await sign_in(elsewhere, "hasan")).status_code == 200


async def test_successful_sign_ins_do_not_use_up_the_attempts_of_an_address(
    harness: IdentityHarness, client: httpx.AsyncClient
):
    for _ in range(49):
        await harness.store.count_attempt({"address:127.0.0.1": 50}, harness.clock.now, harness.clock.now)
    for name in ("hasan", "nurlaila", "hasan"):
        assert (await sign_in(client, name)).status_code == 200


async def test_a_success_clears_the_failures_of_that_username(client: httpx.AsyncClient):
    for _ in range(3):
        for _ in range(9):
            assert (await sign_in(client, "nurlaila", WRONG)).status_code == 401
        assert (await sign_in(client, "nurlaila")).status_code == 200


async def test_a_configured_second_factor_is_required(harness: IdentityHarness, client: httpx.AsyncClient):
    code = pyotp.TOTP(TOTP).at(harness.clock.now)
    assert (await sign_in(client, "siti", code=f"{code[:3]} {code[3:]}")).status_code == 200


async def test_a_code_works_once(harness: IdentityHarness, client: httpx.AsyncClient):
    code = pyotp.TOTP(TOTP).at(harness.clock.now)
    assert (await sign_in(client, "siti", code=code)).status_code == 200
    assert (await sign_in(client, "siti", code=code)).status_code == 401
    harness.clock.advance(seconds=30)
    assert (await sign_in(client, "siti", code=pyotp.TOTP(TOTP).at(harness.clock.now))).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-60, 401), (-30, 200), (30, 200), (60, 401)])
async def test_a_code_may_be_half_a_minute_off(
    harness: IdentityHarness, client: httpx.AsyncClient, seconds: int, status: int
):
    code = pyotp.TOTP(TOTP).at(int(harness.clock.now.timestamp()) + seconds)
    assert (await sign_in(client, "siti", code=code)).status_code == status


async def test_a_wrong_code_counts_as_a_failure(harness: IdentityHarness, client: httpx.AsyncClient):
    codes = {pyotp.TOTP(TOTP).at(int(harness.clock.now.timestamp()) + drift) for drift in (-30, 0, 30)}
    wrong = next(code for code in ("000000", "111111", "222222", "333333") if code not in codes)
    answers = [await sign_in(client, "siti", code=wrong) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


@pytest.mark.parametrize(
    "body",
    [
        {"username": "nurlaila", "password": PASSWORD, "admin": True},
        {"username": {"$ne": ""}, "password": PASSWORD},
        {"username": "nurlaila", "password": {"$gt": ""}},
        {"username": "nurlaila", "password": 123456789012},
        {"username": "nurlaila"},
        {"username": "n" * 201, "password": PASSWORD},
        {"username": "\ud800" * 12, "password": PASSWORD},
        [],
    ],
)
async def test_an_invalid_sign_in_body_is_422_and_not_echoed(client: httpx.AsyncClient, body: object):
    response = await client.post("/api/session", content=json.dumps(body), headers=JSON)
    assert response.status_code == 422
    assert PASSWORD not in response.text


async def test_another_sites_page_cannot_sign_a_browser_in(client: httpx.AsyncClient):
    for headers in (FOREIGN, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        body = {"username": "nurlaila", "password": PASSWORD}
        assert (await client.post("/api/session", json=body, headers=headers)).status_code == 403


async def test_logs_record_sign_ins_without_the_input(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    typed = "my secret in the wrong field"
    token = (await sign_in(client, "nurlaila")).json()["token"]
    await sign_in(client, "nurlaila", WRONG)
    await sign_in(client, typed)
    said = caplog.text
    assert "nurlaila signed in" in said
    assert "sign-in to nurlaila refused" in said
    assert "sign-in to no account refused" in said
    assert not [secret for secret in (typed, PASSWORD, WRONG, token, "@dinas.example") if secret in said]


# Sessions


async def test_a_token_is_random_and_only_its_hash_is_kept(harness: IdentityHarness, client: httpx.AsyncClient):
    tokens = {await token_of(client, "nurlaila") for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) * 6 >= 128 for token in tokens)
    kept = harness.on_disk()
    for token in tokens:
        assert hashlib.sha256(token.encode()).hexdigest().encode() in kept
        assert token.encode() not in kept
    assert PASSWORD.encode() not in kept


async def test_signing_in_again_replaces_the_session(client: httpx.AsyncClient):
    first = (await sign_in(client, "nurlaila")).json()["token"]
    second = (await sign_in(client, "nurlaila")).json()["token"]
    assert first != second
    client.cookies.clear()
    assert (await who(client, first), await who(client, second)) == (401, 200)


async def test_a_token_chosen_by_the_caller_is_never_adopted(client: httpx.AsyncClient):
    client.cookies.set("simpul", "chosen-by-somebody-else")
    assert (await sign_in(client, "nurlaila")).json()["token"] != "chosen-by-somebody-else"
    client.cookies.clear()
    assert await who(client, "chosen-by-somebody-else") == 401


async def test_a_session_ends_after_thirty_idle_minutes(harness: IdentityHarness, client: httpx.AsyncClient):
    token = await token_of(client, "nurlaila")
    for _ in range(3):
        harness.clock.advance(minutes=30)
        assert await who(client, token) == 200
    harness.clock.advance(minutes=30, seconds=1)
    assert await who(client, token) == 401
    harness.clock.advance(minutes=-10)
    assert await who(client, token) == 401


async def test_a_session_ends_after_twelve_hours_however_busy(harness: IdentityHarness, client: httpx.AsyncClient):
    token = await token_of(client, "nurlaila")
    for _ in range(36):
        harness.clock.advance(minutes=20)
        assert await who(client, token) == 200
    harness.clock.advance(seconds=1)
    assert await who(client, token) == 401


async def test_a_session_ends_when_the_user_signs_out(client: httpx.AsyncClient):
    token, other = await token_of(client, "nurlaila"), await token_of(client, "nurlaila")
    assert (await client.delete("/api/session", headers=bearer(token))).status_code == 200
    assert (await who(client, token), await who(client, other)) == (401, 200)


@pytest.mark.parametrize(
    "change", [{"active": False}, {"roles": (Role.TECHNICAL,)}, {"password": "perahu hijau lumut"}]
)
async def test_a_session_ends_when_its_account_changes(
    harness: IdentityHarness, client: httpx.AsyncClient, change: dict[str, Any]
):
    token, other = await token_of(client, "nurlaila"), await token_of(client, "hasan")
    await harness.identity.change_staff("nurlaila", **change)
    assert (await who(client, token), await who(client, other)) == (401, 200)


async def test_a_session_of_a_disabled_account_is_invalid(harness: IdentityHarness, client: httpx.AsyncClient):
    account = await harness.staff("samsul", Role.OFFICER, active=False)
    now = harness.clock.now
    await harness.store.open_session(Session(hashlib.sha256(b"token").hexdigest(), "samsul", now, now), account)
    assert await who(client, "token") == 401


async def test_checking_a_session_does_not_extend_it(harness: IdentityHarness):
    token, principal = await harness.identity.sign_in("nurlaila", PASSWORD, "", "192.0.2.1")
    for _ in range(3):
        assert await harness.identity.is_session_active(principal)
        harness.clock.advance(minutes=10)
    harness.clock.advance(seconds=1)
    assert not await harness.identity.is_session_active(principal)
    assert await harness.identity.authenticate(token) is None
    _, principal = await harness.identity.sign_in("nurlaila", PASSWORD, "", "192.0.2.1")
    await harness.identity.change_staff("nurlaila", active=False)
    assert not await harness.identity.is_session_active(principal)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic bnVybGFpbGE6eA==", "Bearer é", "bearer " + "x" * 5000]
)
async def test_an_unknown_token_is_401(client: httpx.AsyncClient, header: str):
    response = await client.get("/api/session", headers={b"Authorization": header.encode("latin-1")})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


# Cookies and other sites


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: httpx.AsyncClient):
    cookie = (await sign_in(client, "nurlaila")).headers["Set-Cookie"]
    name, *flags = cookie.split("; ")
    assert name.startswith("simpul=")
    assert {flag.lower() for flag in flags} == {"httponly", "samesite=lax", "path=/", "max-age=43200"}


async def test_behind_tls_the_cookie_is_bound_to_the_host(tmp_path: Path):
    harness = await open_identity_harness(tmp_path, "https://simpul.example")
    await harness.staff("nurlaila", Role.OFFICER)
    async with harness.client() as client:
        name, *flags = (await sign_in(client, "nurlaila")).headers["Set-Cookie"].split("; ")
        assert name.startswith("__Host-simpul=")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= {flag.lower() for flag in flags}
        assert not [flag for flag in flags if flag.lower().startswith("domain")]
        assert (await client.get("/officers")).status_code == 200
        client.cookies.clear()
        client.cookies.set("simpul", name.partition("=")[2])
        assert (await client.get("/officers")).status_code == 401
    harness.file.close()


async def test_signing_out_clears_the_cookie(client: httpx.AsyncClient):
    csrf = (await sign_in(client, "nurlaila")).json()["csrf"]
    response = await client.delete("/api/session", headers={"X-CSRF-Token": csrf})
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert not client.cookies
    assert (await client.get("/api/session")).status_code == 401


async def test_reading_with_a_cookie_needs_no_csrf_token(client: httpx.AsyncClient):
    await sign_in(client, "nurlaila")
    assert (await client.get("/officers")).json() == "nurlaila"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:8000", "Host": "localhost:8000"}, 200),
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "0" * 64}, 403),
        ({"X-CSRF-Token": "é"}, 403),
        (FOREIGN, 403),
        ({"Origin": "http://127.0.0.1:8001"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", **FOREIGN}, 403),
        ({"Authorization": "Basic x", "X-CSRF-Token": ""}, 403),
    ],
)
async def test_writing_with_a_cookie_needs_the_csrf_token_and_our_own_origin(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
):
    csrf = (await sign_in(client, "nurlaila")).json()["csrf"]
    sent = {name: value.encode("latin-1") for name, value in {"X-CSRF-Token": csrf, **headers}.items()}
    assert (await client.post("/officers", json={}, headers=sent)).status_code == status


async def test_a_cookie_alone_cannot_write(client: httpx.AsyncClient):
    await sign_in(client, "nurlaila")
    assert (await client.post("/officers", json={})).status_code == 403
    assert (await client.delete("/api/session")).status_code == 403
    assert (await client.post("/officers", json={}, headers={"Authorization": "Bearer "})).status_code == 401


async def test_the_csrf_token_of_another_session_is_refused(harness: IdentityHarness, client: httpx.AsyncClient):
    await sign_in(client, "nurlaila")
    async with harness.client() as other:
        csrf = (await sign_in(other, "nurlaila")).json()["csrf"]
    assert (await client.post("/officers", json={}, headers={"X-CSRF-Token": csrf})).status_code == 403


async def test_a_bearer_token_needs_no_csrf_token(client: httpx.AsyncClient):
    token = await token_of(client, "nurlaila")
    assert (await client.post("/officers", json={}, headers={**bearer(token), **FOREIGN})).status_code == 200


# Authorization


async def test_a_role_grants_only_the_routes_that_declare_it(client: httpx.AsyncClient):
    officer, admin = await token_of(client, "nurlaila"), await token_of(client, "hasan")
    for method, path in (("GET", "/officers"), ("POST", "/officers")):
        assert (await client.request(method, path, json={}, headers=bearer(officer))).status_code == 200
        assert (await client.request(method, path, json={}, headers=bearer(admin))).status_code == 403
        assert (await client.request(method, path, json={})).status_code == 401


async def test_an_unauthorized_call_is_refused_before_its_body_is_read(harness: IdentityHarness):
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{")
        yield b"{ not even JSON"

    async with harness.client() as client:
        admin = await token_of(client, "hasan")
        assert (await client.post("/officers", content=body(), headers=JSON)).status_code == 401
        assert (await client.post("/officers", content=body(), headers={**JSON, **bearer(admin)})).status_code == 403
        assert read == []
        officer = await token_of(client, "nurlaila")
        assert (await client.post("/officers", content=body(), headers={**JSON, **bearer(officer)})).status_code == 400
        assert read == [b"{"]


async def test_an_applicant_needs_a_tracking_token_and_a_staff_cookie_is_none(client: httpx.AsyncClient):
    await sign_in(client, "nurlaila")
    assert (await client.get("/tracked")).status_code == 401
    assert (await client.get("/tracked", headers=bearer("a key"))).json() == "a key"
    assert (await client.get("/open")).json() == "open"


def test_a_route_without_declared_access_cannot_be_created():
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="/forgotten declares no access"):
        APIRouter(route_class=GuardedRoute).add_api_route("/forgotten", forgotten)


# Staff accounts

NEW: dict[str, Any] = {
    "username": "samsul",
    "name": "Samsul Contoh",
    "email": "samsul@dinas.example",
    "roles": ["technical", "officer", "technical"],
    "password": "perahu kertas hijau lumut",
}


@pytest.fixture
async def admin(harness: IdentityHarness) -> AsyncIterator[httpx.AsyncClient]:
    async with harness.client() as client:
        client.headers.update(bearer(await token_of(client, "hasan")))
        yield client


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


async def test_an_admin_adds_an_account_that_can_sign_in(client: httpx.AsyncClient, admin: httpx.AsyncClient):
    response = await admin.post("/api/staff", json=NEW)
    assert response.status_code == 201
    expected = {key: value for key, value in NEW.items() if key != "password"}
    assert response.json() == {**expected, "roles": ["technical", "officer"], "active": True}
    assert (await sign_in(client, "samsul", NEW["password"])).status_code == 200


async def test_no_response_contains_a_password_a_hash_or_a_secret(admin: httpx.AsyncClient):
    texts = [
        (await admin.post("/api/staff", json=NEW)).text,
        (await admin.get("/api/staff")).text,
        (await admin.patch("/api/staff/siti", json={"password": "perahu kertas biru laut"})).text,
        (await admin.patch("/api/staff/siti", json={"password": "Passw0rd1234"})).text,
        (await admin.patch("/api/staff/siti", json={"password": "x" * 2000})).text,
    ]
    for text in texts:
        assert not [
            secret for secret in ("argon2", TOTP, NEW["password"], "kertas", "Passw0rd", "xxx") if secret in text
        ]


async def test_the_list_has_every_account_by_username(admin: httpx.AsyncClient):
    page = (await admin.get("/api/staff")).json()
    assert [item["username"] for item in page["items"]] == ["hasan", "nurlaila", "siti"]
    assert (page["next"], page["previous"]) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "Samsul"),
        ("username", "s"),
        ("username", "-samsul"),
        ("username", "samsul\n"),
        ("username", "samsul contoh"),
        ("username", "admin'--"),
        ("username", "s\u0430msul"),
        ("username", "s" * 33),
        ("name", " "),
        ("name", "Samsul\r\nBcc: x@y.example"),
        ("name", "Samsul\0Contoh"),
        ("name", "S" * 101),
        ("email", "samsul"),
        ("email", "samsul@dinas.example\r\nBcc: x@y.example"),
        ("email", "samsul@dinas.example,x@y.example"),
        ("email", "Samsul <samsul@dinas.example>"),
        ("email", f"{'s' * 60}@{'d' * 60}.{'d' * 60}.{'d' * 60}.{'d' * 60}.example"),
        ("password", "pendek"),
        ("password", "password1234"),
        ("password", "samsulcontoh"),
        ("password", "kuda laut " * 30),
        ("password", None),
        ("password", "\ud800" * 12),
        ("roles", []),
        ("roles", ["root"]),
        ("roles", "admin"),
        ("active", False),
        ("totp", "JBSWY3DP"),
    ],
)
async def test_errors_of_a_new_account_are_reported_by_field(
    harness: IdentityHarness, admin: httpx.AsyncClient, field: str, value: object
):
    response = await admin.post("/api/staff", content=json.dumps({**NEW, field: value}), headers=JSON)
    assert response.status_code == 422
    assert [name.partition(".")[0] for name in fields(response)] == [field]
    assert len(await harness.store.accounts()) == 3


async def test_all_errors_are_reported_at_once(admin: httpx.AsyncClient):
    response = await admin.post("/api/staff", json={**NEW, "username": "S", "email": "x", "name": ""})
    assert sorted(fields(response)) == ["email", "name", "username"]


async def test_a_username_that_is_taken_is_409(harness: IdentityHarness, admin: httpx.AsyncClient):
    response = await admin.post("/api/staff", json={**NEW, "username": "nurlaila"})
    assert response.status_code == 409
    assert "nurlaila sudah dipakai" in response.json()["detail"]
    account = await harness.store.account("nurlaila")
    assert account is not None
    assert account.name == "Nurlaila Contoh"


async def test_a_repeated_key_gets_the_first_response_again(admin: httpx.AsyncClient):
    key = {"Idempotency-Key": "once"}
    first = await admin.post("/api/staff", json=NEW, headers=key)
    await admin.patch("/api/staff/nurlaila", json={"name": "Nama Baru"})
    again = await admin.post("/api/staff", json=NEW, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    for other in ({"name": "Nama Lain"}, {"username": "lain"}, {"password": "perahu kertas biru laut"}):
        assert (await admin.post("/api/staff", json={**NEW, **other}, headers=key)).status_code == 422
    assert (await admin.post("/api/staff", json=NEW)).status_code == 409


async def test_an_admin_changes_only_the_given_fields(harness: IdentityHarness, admin: httpx.AsyncClient):
    before = await harness.store.account("siti")
    response = await admin.patch("/api/staff/siti", json={"name": "Siti Baru", "roles": ["structural"], "email": None})
    assert response.status_code == 200
    assert before is not None
    assert await harness.store.account("siti") == replace(before, name="Siti Baru", roles=(Role.STRUCTURAL,))


async def test_a_new_password_replaces_the_old_one(client: httpx.AsyncClient, admin: httpx.AsyncClient):
    await admin.patch("/api/staff/nurlaila", json={"password": "perahu kertas hijau lumut"})
    assert (await sign_in(client, "nurlaila")).status_code == 401
    assert (await sign_in(client, "nurlaila", "perahu kertas hijau lumut")).status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"email": "x\ny@z.example"}, {"password": "nurlailacontoh"}, {"roles": []}, {"active": "no"}, {"username": "x"}],
)
async def test_a_wrong_change_changes_nothing(
    harness: IdentityHarness, admin: httpx.AsyncClient, change: dict[str, Any]
):
    before = await harness.store.account("nurlaila")
    response = await admin.patch("/api/staff/nurlaila", json={"name": "Nama Baru", **change})
    assert response.status_code == 422
    assert fields(response) == list(change)
    assert await harness.store.account("nurlaila") == before


async def test_an_unknown_username_is_404(admin: httpx.AsyncClient):
    assert (await admin.patch("/api/staff/nobody", json={"name": "Nama Baru"})).status_code == 404


async def test_an_admin_cannot_disable_their_own_account(harness: IdentityHarness, admin: httpx.AsyncClient):
    await harness.staff("kedua", Role.ADMIN)
    response = await admin.patch("/api/staff/hasan", json={"active": False})
    assert response.status_code == 409
    assert "akun Anda sendiri" in response.json()["detail"]
    assert (await admin.patch("/api/staff/kedua", json={"active": False})).status_code == 200


async def test_the_last_active_admin_stays_admin(harness: IdentityHarness, admin: httpx.AsyncClient):
    await harness.staff("kedua", Role.ADMIN, active=False)
    response = await admin.patch("/api/staff/hasan", json={"roles": ["officer"]})
    assert response.status_code == 409
    assert "Administrator aktif yang terakhir" in response.json()["detail"]
    await admin.patch("/api/staff/kedua", json={"active": True})
    assert (await admin.patch("/api/staff/hasan", json={"roles": ["officer"]})).status_code == 200


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "current_password"),
        ({"current_password": WRONG}, "current_password"),
        ({"current_password": ""}, "current_password"),
    ],
)
async def test_an_admin_cannot_change_their_own_password_without_the_current_one(
    harness: IdentityHarness, client: httpx.AsyncClient, admin: httpx.AsyncClient, given: dict[str, str], field: str
):
    before = await harness.store.account("hasan")
    for name in ("hasan", " Hasan "):
        response = await admin.patch(f"/api/staff/{name}", json={"name": "Lain", "password": ANOTHER, **given})
        assert (response.status_code, fields(response)) == (422, [field])
    assert await harness.store.account("hasan") == before
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    assert await who(client, token) == 200


async def test_an_admin_changes_their_own_password_with_the_current_one(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
):
    change = {"password": ANOTHER, "current_password": PASSWORD}
    assert (await admin.patch("/api/staff/hasan", json=change)).status_code == 200
    assert (await admin.get("/api/staff")).status_code == 401
    assert (await sign_in(client, "hasan", ANOTHER)).status_code == 200


async def test_the_current_password_of_an_admin_cannot_be_guessed_from_an_open_session(admin: httpx.AsyncClient):
    guess = {"password": ANOTHER, "current_password": WRONG}
    answers = [(await admin.patch("/api/staff/hasan", json=guess)).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    right = await admin.patch("/api/staff/hasan", json={**guess, "current_password": PASSWORD})
    assert right.status_code == 429


async def test_a_current_password_is_only_accepted_for_the_own_account(
    harness: IdentityHarness, admin: httpx.AsyncClient
):
    before = await harness.store.account("siti")
    change = {"password": ANOTHER, "current_password": PASSWORD}
    response = await admin.patch("/api/staff/siti", json=change)
    assert (response.status_code, fields(response)) == (422, ["current_password"])
    assert await harness.store.account("siti") == before


async def test_a_change_that_changes_nothing_ends_no_session(client: httpx.AsyncClient, admin: httpx.AsyncClient):
    token = await token_of(client, "nurlaila")
    await admin.patch("/api/staff/nurlaila", json={"active": True, "name": "Nurlaila Contoh"})
    assert await who(client, token) == 200


async def test_concurrent_changes_are_all_kept(harness: IdentityHarness):
    await asyncio.gather(
        harness.identity.change_staff("nurlaila", name="Nama Baru"),
        harness.identity.change_staff("nurlaila", email="baru@dinas.example"),
        harness.identity.change_staff("nurlaila", roles=(Role.TECHNICAL,)),
        harness.identity.change_staff("nurlaila", password="perahu kertas hijau lumut"),
    )
    account = await harness.store.account("nurlaila")
    assert account is not None
    assert (account.name, account.email, account.roles) == ("Nama Baru", "baru@dinas.example", (Role.TECHNICAL,))


async def test_logs_record_who_changed_which_fields_without_values(
    admin: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    await admin.post("/api/staff", json=NEW)
    await admin.patch("/api/staff/samsul", json={"email": "baru@dinas.example", "password": "perahu kertas biru laut"})
    assert "account samsul added with technical, officer by hasan" in caplog.text
    assert "account samsul changed by hasan: email, password" in caplog.text
    assert not [said for said in ("@dinas.example", "perahu", "Samsul Contoh") if said in caplog.text]
