"""The access matrix of all routes: compared with the declarations of the application, and tried."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal
from urllib.robotparser import RobotFileParser

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts

from shared.backends.platform import Platform, open_platform
from shared.identity.accounts import Account, Role
from shared.settings import Settings
from shared.web.auth.access import declared_access, public, signed_in
from simpul.app import create_application
from simpul.registry import SERVICE_NAMES

Call = tuple[str, str]
Allowed = Literal["public", "applicant", "nothing said"] | frozenset[Role]

PUBLIC: Allowed = "public"
APPLICANT: Allowed = "applicant"

ANY_STAFF: Allowed = frozenset(Role)
OFFICER: Allowed = frozenset({Role.OFFICER})
STRUCTURAL: Allowed = frozenset({Role.STRUCTURAL})
TECHNICAL: Allowed = frozenset({Role.TECHNICAL})
ASSIGNING: Allowed = frozenset({Role.STRUCTURAL, Role.TECHNICAL})
BOARD: Allowed = frozenset({Role.STRUCTURAL, Role.OFFICER})
ADMIN: Allowed = frozenset({Role.ADMIN})

MATRIX: dict[Call, Allowed] = {
    ("POST", "/api/requests"): PUBLIC,
    ("GET", "/api/requests/{number}"): APPLICANT,
    ("GET", "/api/requests/{number}/documents/{document_id}"): APPLICANT,
    ("POST", "/api/requests/{number}/resubmission"): APPLICANT,
    ("PATCH", "/api/requests/{number}"): APPLICANT,
    ("POST", "/api/requests/{number}/contact"): APPLICANT,
    ("POST", "/api/requests/{number}/contact/confirmation"): APPLICANT,
    ("POST", "/api/requests/{number}/withdrawal"): APPLICANT,
    ("POST", "/api/requests/{number}/answer"): APPLICANT,
    ("POST", "/api/requests/{number}/confirmation"): APPLICANT,
    ("POST", "/api/requests/{number}/objection"): APPLICANT,
    ("POST", "/api/requests/{number}/survey"): APPLICANT,
    ("GET", "/api/intake/live"): APPLICANT,
    ("GET", "/api/units"): PUBLIC,
    ("POST", "/api/links"): PUBLIC,
    ("POST", "/api/session"): PUBLIC,
    ("GET", "/api/session"): ANY_STAFF,
    ("PATCH", "/api/session"): ANY_STAFF,
    ("DELETE", "/api/session"): ANY_STAFF,
    ("GET", "/api/account/notifications"): ANY_STAFF,
    ("PATCH", "/api/account/notifications"): ANY_STAFF,
    ("GET", "/api/verification/requests"): OFFICER,
    ("GET", "/api/verification/requests.{kind}"): OFFICER,
    ("GET", "/api/verification/requests/{request_id}"): OFFICER,
    ("GET", "/api/verification/requests/{request_id}/documents/{document_id}"): OFFICER,
    ("GET", "/api/verification/requests/{request_id}/documents/{document_id}/pages/{page}"): OFFICER,
    ("GET", "/api/verification/requests/{request_id}/documents/{document_id}/matches"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/verification"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/return"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/recommendation"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/recommendation/withdrawal"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/claim"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/release"): OFFICER,
    ("GET", "/api/verification/requests/{request_id}/notes"): OFFICER,
    ("POST", "/api/verification/requests/{request_id}/notes"): OFFICER,
    ("GET", "/api/assignment/requests/{request_id}/notes"): ASSIGNING,
    ("POST", "/api/assignment/requests/{request_id}/notes"): ASSIGNING,
    ("POST", "/api/verification/bulk"): OFFICER,
    ("POST", "/api/assignment/bulk"): STRUCTURAL,
    ("GET", "/api/public/figures"): PUBLIC,
    ("GET", "/api/verification/live"): OFFICER,
    ("GET", "/api/assignment/requests"): ASSIGNING,
    ("GET", "/api/assignment/requests.{kind}"): ASSIGNING,
    ("GET", "/api/assignment/requests/{request_id}"): ASSIGNING,
    ("GET", "/api/assignment/requests/{request_id}/documents/{document_id}"): ASSIGNING,
    ("GET", "/api/assignment/requests/{request_id}/documents/{document_id}/pages/{page}"): ASSIGNING,
    ("GET", "/api/assignment/requests/{request_id}/documents/{document_id}/matches"): ASSIGNING,
    ("GET", "/api/assignment/leads"): STRUCTURAL,
    ("GET", "/api/assignment/dashboard"): STRUCTURAL,
    ("GET", "/api/assignment/dashboard.pdf"): STRUCTURAL,
    ("GET", "/api/assignment/register"): STRUCTURAL,
    ("GET", "/api/assignment/register.pdf"): STRUCTURAL,
    ("GET", "/api/assignment/survey"): STRUCTURAL,
    ("GET", "/api/assignment/survey.pdf"): STRUCTURAL,
    ("GET", "/api/assignment/survey.xlsx"): STRUCTURAL,
    ("GET", "/api/assignment/overdue"): BOARD,
    ("POST", "/api/assignment/requests/{request_id}/reminder"): STRUCTURAL,
    ("POST", "/api/assignment/requests/{request_id}/rejection"): STRUCTURAL,
    ("POST", "/api/assignment/requests/{request_id}/assignment"): STRUCTURAL,
    ("POST", "/api/assignment/requests/{request_id}/reassignment"): STRUCTURAL,
    ("POST", "/api/assignment/requests/{request_id}/target"): STRUCTURAL,
    ("POST", "/api/assignment/requests/{request_id}/start"): TECHNICAL,
    ("POST", "/api/assignment/requests/{request_id}/progress"): TECHNICAL,
    ("POST", "/api/assignment/requests/{request_id}/pause"): TECHNICAL,
    ("POST", "/api/assignment/requests/{request_id}/resume"): TECHNICAL,
    ("POST", "/api/assignment/requests/{request_id}/completion"): TECHNICAL,
    ("GET", "/api/assignment/live"): ASSIGNING,
    ("GET", "/api/notification/messages"): ADMIN,
    ("GET", "/api/notification/messages.{kind}"): ADMIN,
    ("GET", "/api/notification/requests.{kind}"): ADMIN,
    ("POST", "/api/notification/messages/{message_id}/resend"): ADMIN,
    ("GET", "/api/notification/live"): ADMIN,
    ("GET", "/api/dead-letters"): ADMIN,
    ("POST", "/api/dead-letters/{letter_id}/replay"): ADMIN,
    ("POST", "/api/dead-letters/{letter_id}/discard"): ADMIN,
    ("GET", "/api/phrases"): ANY_STAFF,
    ("PUT", "/api/phrases"): frozenset({Role.STRUCTURAL, Role.ADMIN}),
    ("GET", "/api/substitutes"): frozenset({Role.STRUCTURAL, Role.ADMIN}),
    ("POST", "/api/substitutes"): frozenset({Role.STRUCTURAL, Role.ADMIN}),
    ("DELETE", "/api/substitutes/{substitute_id}"): frozenset({Role.STRUCTURAL, Role.ADMIN}),
    **{
        ("GET", f"/api/{name}"): frozenset({Role.STRUCTURAL, Role.ADMIN})
        for name in ("holidays", "targets", "checklists/{scope}")
    },
    ("PUT", "/api/holidays/{day}"): ADMIN,
    ("DELETE", "/api/holidays/{day}"): ADMIN,
    ("PUT", "/api/targets"): ADMIN,
    ("PUT", "/api/checklists/{scope}"): ADMIN,
    ("GET", "/api/views"): ANY_STAFF,
    ("POST", "/api/views"): ANY_STAFF,
    ("PATCH", "/api/views/{view_id}"): ANY_STAFF,
    ("DELETE", "/api/views/{view_id}"): ANY_STAFF,
    ("GET", "/api/staff"): ADMIN,
    ("POST", "/api/staff"): ADMIN,
    ("PATCH", "/api/staff/{username}"): ADMIN,
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/metrics"): ADMIN,
    ("GET", "/api/docs"): ADMIN,
    ("GET", "/api/docs/swagger-ui"): ADMIN,
    ("GET", "/api/docs/{name}"): ADMIN,
    ("GET", "/api/openapi.json"): ADMIN,
    **{("GET", f"/api/{name}/events{form}"): ADMIN for name in SERVICE_NAMES for form in ("", ".json")},
    ("GET", "/static/{name}"): PUBLIC,
    ("GET", "/favicon.ico"): PUBLIC,
    ("GET", "/robots.txt"): PUBLIC,
}
"""API routes."""

STEPS = ("lengkapi", "perbaiki", "kontak", "kontak/{change}", "jawab", "konfirmasi", "keberatan", "batalkan", "survei")
"""Actions of an applicant, one page each."""

PAGES: dict[Call, Allowed] = {
    ("GET", "/"): PUBLIC,
    ("POST", "/"): PUBLIC,
    ("POST", "/berkas"): PUBLIC,
    ("GET", "/kinerja"): PUBLIC,
    ("GET", "/standar-pelayanan"): PUBLIC,
    ("GET", "/pelindungan-data"): PUBLIC,
    ("GET", "/lacak"): PUBLIC,
    ("POST", "/lacak"): PUBLIC,
    ("GET", "/lacak/{number}"): PUBLIC,
    ("GET", "/lacak/{number}/diterima"): PUBLIC,
    ("GET", "/lacak/{number}/dokumen/{document_id}"): PUBLIC,
    ("GET", "/lacak/{number}/lihat"): PUBLIC,
    ("GET", "/lacak/{number}/lihat/{document_id}/pages/{page}"): PUBLIC,
    **{(method, f"/lacak/{{number}}/{step}"): PUBLIC for step in STEPS for method in ("GET", "POST")},
    ("POST", "/lacak/{number}/lengkapi/berkas"): PUBLIC,
    ("GET", "/periksa/{name}"): PUBLIC,
    ("GET", "/penugasan"): STRUCTURAL,
    ("GET", "/penugasan/daftar.{kind}"): STRUCTURAL,
    ("GET", "/penugasan/{request_id}"): STRUCTURAL,
    ("POST", "/penugasan/{request_id}"): STRUCTURAL,
    ("GET", "/penugasan/{request_id}/ganti"): STRUCTURAL,
    ("POST", "/penugasan/{request_id}/ganti"): STRUCTURAL,
    ("GET", "/penugasan/{request_id}/target"): STRUCTURAL,
    ("POST", "/penugasan/{request_id}/target"): STRUCTURAL,
    **{
        (method, path): frozenset({Role.STRUCTURAL, Role.ADMIN})
        for path in ("/kalimat", "/pengganti")
        for method in ("GET", "POST")
    },
    **{(method, "/tampilan"): ANY_STAFF for method in ("GET", "POST")},
    ("GET", "/pengaturan"): frozenset({Role.STRUCTURAL, Role.ADMIN}),
    **{
        (method, f"/pengaturan/{name}"): ADMIN
        for name in ("libur", "target", "daftar-periksa/{scope}")
        for method in ("GET", "POST")
    },
    **{(method, "/penugasan/massal"): STRUCTURAL for method in ("GET", "POST")},
    **{(method, "/verifikasi/massal"): OFFICER for method in ("GET", "POST")},
    **{(method, "/penugasan/{request_id}/catatan"): STRUCTURAL for method in ("GET", "POST")},
    **{(method, "/pekerjaan/{request_id}/catatan"): TECHNICAL for method in ("GET", "POST")},
    **{(method, "/verifikasi/{request_id}/tim"): OFFICER for method in ("GET", "POST")},
    ("GET", "/penugasan/{request_id}/tolak"): STRUCTURAL,
    ("POST", "/penugasan/{request_id}/tolak"): STRUCTURAL,
    ("GET", "/penugasan/{request_id}/dokumen/{document_id}"): STRUCTURAL,
    ("GET", "/penugasan/{request_id}/lihat"): STRUCTURAL,
    ("GET", "/beban-kerja"): STRUCTURAL,
    ("GET", "/dasbor"): STRUCTURAL,
    ("GET", "/dasbor/kepuasan"): STRUCTURAL,
    ("GET", "/dasbor/register"): STRUCTURAL,
    ("GET", "/lewat-batas"): BOARD,
    ("POST", "/lewat-batas"): STRUCTURAL,
    ("GET", "/pekerjaan"): TECHNICAL,
    ("GET", "/pekerjaan/daftar.{kind}"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/perkembangan"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}/perkembangan"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/tunda"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}/tunda"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/lanjutkan"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}/lanjutkan"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/serahkan"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}/serahkan"): TECHNICAL,
    ("POST", "/pekerjaan/{request_id}/serahkan/berkas"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/dokumen/{document_id}"): TECHNICAL,
    ("GET", "/pekerjaan/{request_id}/lihat"): TECHNICAL,
    ("GET", "/masuk"): PUBLIC,
    ("POST", "/masuk"): PUBLIC,
    ("POST", "/keluar"): ANY_STAFF,
    ("GET", "/verifikasi"): OFFICER,
    ("GET", "/verifikasi/daftar.{kind}"): OFFICER,
    ("GET", "/verifikasi/{request_id}"): OFFICER,
    ("POST", "/verifikasi/{request_id}"): OFFICER,
    ("GET", "/verifikasi/{request_id}/dokumen/{document_id}"): OFFICER,
    ("GET", "/verifikasi/{request_id}/rekomendasi"): OFFICER,
    ("POST", "/verifikasi/{request_id}/rekomendasi"): OFFICER,
    ("GET", "/akun-saya/notifikasi"): ANY_STAFF,
    ("POST", "/akun-saya/notifikasi"): ANY_STAFF,
    ("GET", "/akun-saya"): ANY_STAFF,
    ("POST", "/akun-saya"): ANY_STAFF,
    ("GET", "/akun"): ADMIN,
    ("GET", "/akun/baru"): ADMIN,
    ("POST", "/akun/baru"): ADMIN,
    ("GET", "/akun/{username}"): ADMIN,
    ("POST", "/akun/{username}"): ADMIN,
    ("GET", "/surel-keluar"): ADMIN,
    ("POST", "/surel-keluar/{message_id}/kirim-ulang"): ADMIN,
    ("GET", "/kejadian-tertunda"): ADMIN,
    ("GET", "/kejadian-tertunda/{letter_id}"): ADMIN,
    ("POST", "/kejadian-tertunda/{letter_id}/proses-ulang"): ADMIN,
    ("GET", "/kejadian-tertunda/{letter_id}/buang"): ADMIN,
    ("POST", "/kejadian-tertunda/{letter_id}/buang"): ADMIN,
    ("GET", "/surel"): PUBLIC,
    ("GET", "/surel/{name}"): PUBLIC,
    ("GET", "/surel/{name}/html"): PUBLIC,
}
"""HTML pages and forms."""

PAGES_WITH_A_KEY = [path for method, path in PAGES if method == "GET" and path.startswith("/lacak/{number}")]
"""Public, because a visitor without a key gets a page that explains it."""

STAFF = [(call, allowed) for call, allowed in MATRIX.items() if isinstance(allowed, frozenset)]
STAFF_PAGES = [(call, allowed) for call, allowed in PAGES.items() if isinstance(allowed, frozenset)]
EXAMPLES = {"number": "INT-2026-000001", "page": "1", "username": "nobody"}
NO_ID = "00000000-0000-4000-8000-000000000000"
A_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    opened = open_platform(Settings(data=tmp_path, public_rate=0, docs="closed"))
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
async def app(platform: Platform) -> FastAPI:
    return create_application(platform)


@pytest.fixture
async def client(app: FastAPI, platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=platform.settings.origin) as opened:
            yield opened


def declared(app: FastAPI) -> Iterator[tuple[Call, Allowed]]:
    """Return every route of the application with its declared access."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        access = declared_access(dependant) if dependant else None
        for method in sorted((route.methods or {"ANY"}) - {"HEAD"}):
            yield (method, route.path or ""), access or "nothing said"


def differences(app: FastAPI, matrix: dict[Call, Allowed]) -> list[str]:
    """Return the differences between declarations and matrix; names of path parameters are ignored."""
    expected = {nameless(call): allowed for call, allowed in matrix.items()}
    found = {nameless(call): allowed for call, allowed in declared(app)}
    unknown = [f"{call} is {allowed} and not in the matrix" for call, allowed in found.items() if call not in expected]
    missing = [f"{call} is in the matrix and not there" for call in expected if call not in found]
    both = found.keys() & expected.keys()
    return unknown + missing + [f"{c} is {found[c]}, not {expected[c]}" for c in both if found[c] != expected[c]]


def nameless(call: Call) -> Call:
    return call[0], re.sub(r"\{[^}]*\}", "{}", call[1])


def address(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: EXAMPLES.get(name[1], NO_ID), path)


async def bearer_of(platform: Platform, role: Role) -> dict[str, str]:
    """Open a session for an account with this role alone, without hashing a password."""
    account = await platform.accounts.add(Account(role.value, "Orang Contoh", "orang@dinas.example", (role,), "-"))
    token, _ = await platform.identity._open_session(account, platform.clock())
    return {"Authorization": f"Bearer {token}"}


async def cookie_of(platform: Platform, role: Role) -> dict[str, str]:
    """Return the session as a cookie."""
    return {"Cookie": f"simpul={(await bearer_of(platform, role))['Authorization'].partition(' ')[2]}"}


async def test_every_route_is_in_the_matrix_and_guarded_as_it_says(app: FastAPI):
    assert differences(app, MATRIX | PAGES) == []


@pytest.mark.slow
async def test_no_staff_route_answers_without_a_session(client: httpx.AsyncClient):
    for (method, path), _ in STAFF:
        for headers in ({}, {"Authorization": "Bearer unknown"}, {"Cookie": "simpul=unknown"}):
            answer = await client.request(method, address(path), headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["WWW-Authenticate"] == "Bearer", (method, path)


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
async def test_no_staff_route_answers_in_another_role(platform: Platform, client: httpx.AsyncClient, role: Role):
    headers = await bearer_of(platform, role)
    for (method, path), allowed in STAFF:
        if role not in allowed:
            answer = await client.request(method, address(path), headers=headers)
            assert answer.status_code == 403, (method, path)


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
async def test_every_staff_route_lets_its_roles_in(platform: Platform, client: httpx.AsyncClient, role: Role):
    headers = await bearer_of(platform, role)
    calls = [call for call, allowed in STAFF if role in allowed and not call[1].endswith("/live")]
    for method, path in sorted(calls, key=lambda call: call == ("DELETE", "/api/session")):
        answer = await client.request(method, address(path), headers=headers)
        assert answer.status_code not in (401, 403, 405, 500), (method, path, answer.text)


@pytest.mark.slow
async def test_no_page_of_staff_opens_without_a_session(client: httpx.AsyncClient):
    for (method, path), _ in STAFF_PAGES:
        for headers in ({}, {"Authorization": "Bearer unknown"}, {"Cookie": "simpul=unknown"}):
            answer = await client.request(method, address(path), headers={**headers, **A_FORM})
            if method == "GET":
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/masuk?lanjut="), path
            else:
                assert (answer.status_code, "Sesi Anda berakhir" in answer.text) == (401, True), path


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
async def test_pages_open_to_their_roles_alone(platform: Platform, client: httpx.AsyncClient, role: Role):
    cookie = await cookie_of(platform, role)
    for (method, path), allowed in STAFF_PAGES:
        answer = await client.request(method, address(path), headers={**cookie, **A_FORM})
        if role in allowed:
            assert answer.status_code not in (401, 403, 405, 500), (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path)


NOT_READ = {
    "/lacak/{number}/lengkapi/berkas",
    "/pekerjaan/{request_id}/serahkan",
    "/pekerjaan/{request_id}/serahkan/berkas",
}
"""Upload paths of one request: access is checked before the form and its token are read."""


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
async def test_no_form_of_a_page_is_heard_without_its_token(platform: Platform, client: httpx.AsyncClient, role: Role):
    cookie = await cookie_of(platform, role)
    for (method, path), allowed in PAGES.items():
        if method == "POST" and (allowed == PUBLIC or role in allowed):
            for token in ("", "_csrf=" + "0" * 128):
                answer = await client.post(address(path), content=token, headers={**cookie, **A_FORM})
                expected = (404, False) if path in NOT_READ else (200, True)
                assert (answer.status_code, "Isian Anda masih ada" in answer.text) == expected, (path, answer.text)
            foreign = {"Origin": "https://evil.example", **cookie, **A_FORM}
            assert (await client.post(address(path), headers=foreign)).status_code == 403, path


@pytest.mark.slow
async def test_no_applicants_route_answers_without_the_key_or_with_a_wrong_one(client: httpx.AsyncClient):
    for (method, path), allowed in MATRIX.items():
        if allowed == APPLICANT:
            assert (await client.request(method, address(path))).status_code == 401, (method, path)
            wrong = await client.request(method, address(path), headers={"Authorization": "Bearer wrong"})
            assert wrong.status_code in (400, 404, 415, 422), (method, path)


@pytest.mark.slow
async def test_a_staff_session_is_no_applicants_key(platform: Platform, client: httpx.AsyncClient):
    token = (await bearer_of(platform, Role.OFFICER))["Authorization"].partition(" ")[2]
    for (method, path), allowed in MATRIX.items():
        if allowed == APPLICANT:
            answer = await client.request(method, address(path), headers={"Cookie": f"simpul={token}"})
            assert answer.status_code == 401, (method, path)


@pytest.mark.slow
async def test_search_engines_are_kept_to_the_pages_for_everybody(client: httpx.AsyncClient):
    robots = RobotFileParser()
    robots.parse((await client.get("/robots.txt")).text.splitlines())
    open_pages = {path for _, path in (MATRIX | PAGES) if robots.can_fetch("any", address(path))}
    assert open_pages == {
        "/kinerja",
        *("/", "/lacak", "/masuk", "/standar-pelayanan", "/pelindungan-data"),
        *("/favicon.ico", "/robots.txt", "/static/{name}"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES_WITH_A_KEY)
async def test_an_applicants_page_shows_nothing_without_the_key(
    platform: Platform, client: httpx.AsyncClient, path: str
):
    token = (await bearer_of(platform, Role.OFFICER))["Authorization"].partition(" ")[2]
    for cookie in ("", "lacak=wrong", f"simpul={token}", f"lacak={token}"):
        assert (await client.get(address(path), headers={"Cookie": cookie})).status_code == 404
    assert (await client.get(address(path), params={"kunci": token})).status_code == 404


async def nothing() -> None: ...


def test_the_comparison_finds_what_it_looks_for():
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/a/{id}", nothing, dependencies=[Depends(signed_in(Role.OFFICER))])
    app.add_api_route("/b", nothing, dependencies=[Depends(public())], methods=["POST"])
    right: dict[Call, Allowed] = {("GET", "/a/{other}"): OFFICER, ("POST", "/b"): PUBLIC}
    assert differences(app, right) == []
    assert differences(app, {**right, ("POST", "/b"): ADMIN}) != []
    assert differences(app, {**right, ("GET", "/c"): PUBLIC}) != []
    app.add_api_route("/forgotten", nothing)
    assert differences(app, right) == ["('GET', '/forgotten') is nothing said and not in the matrix"]


def test_a_route_that_is_guarded_in_two_ways_is_found():
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    both = [Depends(public()), Depends(signed_in(Role.OFFICER))]
    app.add_api_route("/both", nothing, dependencies=both)
    with pytest.raises(ValueError, match="contradictory access"):
        differences(app, {})
