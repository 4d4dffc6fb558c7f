"""Pages of signing in, of the own account and of staff accounts."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.identity.accounts import Account, Role
from tests.support.password_hashing import hash_of
from tests.support.services.form_browser import COOKIE, Browser, browser, hidden_fields, visible_text
from tests.support.services.identity_harness import ANOTHER, PASSWORD
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import PEOPLE, StaffHarness

pytestmark = pytest.mark.slow

OWN, ACCOUNTS, SIGN_IN = "/akun-saya", "/akun", "/masuk"
NASTY = "baris \"satu\" & 'dua'\nbaris </textarea><script>x</script>\n\n  é \u202e &lt;"
WRONG = "wrong but long enough"
NEW: dict[str, Any] = {
    "username": "siti",
    "name": "Siti Rekaan",
    "email": "siti@dinas.example",
    "roles": ["officer", "technical"],
}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification") as opened:
        await opened.platform.accounts.add(
            Account("ani", "Ani Contoh", "ani@dinas.example", (Role.OFFICER, Role.ADMIN), hash_of(PASSWORD))
        )
        yield opened


@pytest.fixture
async def visitor(harness: StaffHarness) -> AsyncIterator[Browser]:
    async with browser(harness) as opened:
        yield opened


@pytest.fixture
async def ani(harness: StaffHarness) -> AsyncIterator[Browser]:
    """A user with a password."""
    async with browser(harness) as opened:
        await sign_in(opened)
        yield opened


@pytest.fixture
async def admin(harness: StaffHarness) -> AsyncIterator[Browser]:
    async with browser(harness, "admin") as opened:
        yield opened


async def sign_in(
    visitor: Browser, username: str = "ani", password: str = PASSWORD, path: str = SIGN_IN
) -> httpx.Response:
    page = await visitor.get(path)
    return await visitor.send(page, SIGN_IN, username=username, password=password)


async def can_sign_in(harness: StaffHarness, username: str, password: str) -> bool:
    async with browser(harness) as fresh:
        return (await sign_in(fresh, username, password)).status_code == 303


def kept_session(client: Browser) -> str:
    return client.client.cookies.get(COOKIE, default="") or ""


def account_path(username: str) -> str:
    return f"{ACCOUNTS}/{username}"


# Signing in


async def test_signing_in_redirects_to_the_start_page_and_away_from_the_form(visitor: Browser):
    answer = await sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "/verifikasi")
    again = await visitor.get(SIGN_IN)
    assert (again.status_code, again.headers["location"]) == (303, "/verifikasi")
    onward = await visitor.get(SIGN_IN, params={"lanjut": "/akun-saya?x=1"})
    assert onward.headers["location"] == "/akun-saya?x=1"


async def test_signing_in_never_adopts_a_session_of_the_browser(visitor: Browser):
    page = await visitor.get(SIGN_IN)
    visitor.client.cookies.set(COOKIE, "chosen-by-somebody-else")
    answer = await visitor.send(page, SIGN_IN, username="ani", password=PASSWORD)
    assert answer.status_code == 303
    assert "chosen-by-somebody-else" not in answer.headers["set-cookie"]


def what_it_says(page: httpx.Response) -> tuple[int, str]:
    return page.status_code, visible_text(page)


async def test_an_unknown_account_is_refused_like_a_wrong_password(visitor: Browser):
    unknown, wrong = await sign_in(visitor, "nobody", WRONG), await sign_in(visitor, "ani", WRONG)
    assert unknown.status_code == 401
    assert what_it_says(unknown) == what_it_says(wrong)
    assert "Nama pengguna, kata sandi, atau kode tidak cocok." in visible_text(wrong)
    assert 'value="ani"' in wrong.text
    assert WRONG not in wrong.text


async def test_the_eleventh_failure_says_how_long_to_wait(visitor: Browser):
    for _ in range(10):
        assert (await sign_in(visitor, password=WRONG)).status_code == 401
    refused = await sign_in(visitor)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 800
    assert "Terlalu banyak percobaan masuk yang gagal. Coba lagi dalam 15 menit." in visible_text(refused)


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/api/session",
        "evil.example",
        "/%0d%0aSet-Cookie:x=1\r\nSet-Cookie: y=1",
        "/é",
    ],
)
async def test_a_sign_in_link_cannot_redirect_to_another_site(visitor: Browser, onward: str):
    page = await visitor.get(SIGN_IN, params={"lanjut": onward})
    assert "evil.example" not in page.text
    answer = await visitor.send(page, SIGN_IN, username="ani", password=PASSWORD, lanjut=onward)
    assert answer.headers["location"] == "/verifikasi"


async def test_fields_of_an_interrupted_form_come_back_after_signing_in(harness: StaffHarness, ani: Browser):
    page = await ani.get(OWN)
    ani.client.cookies.delete(COOKIE)
    asked = await ani.send(page, name=NASTY, password="rahasia yang panjang sekali", current_password=PASSWORD)
    assert asked.status_code == 401
    assert "Sesi Anda berakhir" in visible_text(asked)
    assert "<script>x" not in asked.text
    resumed = await ani.send(asked, SIGN_IN, username="ani", password=PASSWORD)
    assert resumed.status_code == 200
    assert "Isian Anda masih ada" in visible_text(resumed)
    assert hidden_fields(resumed, OWN)["name"] == NASTY
    assert "rahasia" not in asked.text + resumed.text
    shown = await ani.send(resumed, OWN)
    assert shown.status_code == 200
    assert (
        f'value="{html.escape(NASTY, quote=True)}"'.replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in shown.text
    )
    account = await harness.platform.accounts.account("ani")
    assert account is not None
    assert account.name == "Ani Contoh"


@pytest.mark.parametrize(
    "kept",
    ["{", "5", "null", '"abc"', '["ab"]', '[["a"]]', '[["a", 1]]', '[["a", null]]', '{"a": "b"}', '[["a", "\\ud800"]]',
     "[" * 50_000],
)  # fmt: skip
async def test_tampered_saved_fields_are_refused(visitor: Browser, kept: str):
    page = await visitor.get(SIGN_IN, params={"lanjut": OWN})
    answer = await visitor.send(page, SIGN_IN, username="ani", password=PASSWORD, kept=kept)
    assert answer.status_code == 422
    assert "tidak dapat dibaca lagi" in visible_text(answer)


async def test_saved_fields_are_not_submitted_by_themselves(harness: StaffHarness, visitor: Browser):
    page = await visitor.get(SIGN_IN, params={"lanjut": OWN})
    kept = json.dumps([["_csrf", "0" * 128], ["_resume", ""], ["name", "Nama Orang Lain"]])
    resumed = await visitor.send(page, SIGN_IN, username="ani", password=PASSWORD, kept=kept)
    fields = re.findall(r'name="(_csrf|_resume)" value="([^"]*)"', resumed.text.partition("Isian Anda")[2])
    assert fields[0][0] == "_csrf"
    assert set(fields[0][1]) != {"0"}
    assert ("_resume", "1") in fields
    account = await harness.platform.accounts.account("ani")
    assert account is not None
    assert account.name == "Ani Contoh"


async def test_signing_out_says_so_and_ends_the_session(harness: StaffHarness, ani: Browser):
    before = kept_session(ani)
    answer = await ani.send(await ani.get(OWN), "/keluar")
    assert (answer.status_code, answer.headers["location"]) == (303, "/masuk?keluar")
    assert "Anda sudah keluar" in (await ani.get("/masuk?keluar")).text
    assert await harness.platform.identity.authenticate(before) is None


# The own account


async def test_the_own_account_shows_fixed_fields_and_changes_the_name(harness: StaffHarness, ani: Browser):
    page = await ani.get(OWN)
    for words in ("ani@dinas.example", "Petugas Layanan TI, Administrator", "Ani Contoh"):
        assert words in visible_text(page)
    before = kept_session(ani)
    answer = await ani.send(page, name="  Ani Baru ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{OWN}?tersimpan")
    assert kept_session(ani) not in ("", before)
    saved = await ani.get(answer.headers["location"])
    assert saved.status_code == 200
    assert "Tersimpan" in visible_text(saved)
    account = await harness.platform.accounts.account("ani")
    assert account == Account("ani", "Ani Baru", "ani@dinas.example", (Role.OFFICER, Role.ADMIN), hash_of(PASSWORD))


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_browser(
    harness: StaffHarness, ani: Browser, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    async with browser(harness) as elsewhere:
        await sign_in(elsewhere)
        before = kept_session(ani)
        page = await ani.get(OWN)
        answer = await ani.send(page, name="Ani Contoh", current_password=PASSWORD, password=ANOTHER)
        assert answer.status_code == 303
        assert (await ani.get(OWN)).status_code == 200
        assert (await elsewhere.get(OWN)).status_code == 303
    assert await harness.platform.identity.authenticate(before) is None
    assert await can_sign_in(harness, "ani", ANOTHER)
    assert not await can_sign_in(harness, "ani", PASSWORD)
    assert "account ani changed by ani: password" in caplog.text
    assert ANOTHER not in caplog.text


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": " "}, "name", "Nama wajib diisi."),
        ({"name": "Ani\x1bContoh"}, "name", "karakter kendali"),
        ({"password": ANOTHER}, "current_password", "Tulis juga kata sandi Anda yang sekarang"),
        ({"current_password": PASSWORD}, "password", "Tulis kata sandi yang baru"),
        ({"current_password": WRONG, "password": ANOTHER}, "current_password", "tidak cocok"),
        ({"current_password": PASSWORD, "password": "pendek"}, "password", "paling sedikit 12 huruf"),
        ({"current_password": PASSWORD, "password": "password1234"}, "password", "mudah ditebak"),
        ({"roles": "admin"}, "", "tidak dikenal"),
    ],
)
async def test_errors_are_shown_beside_the_fields_and_input_is_kept(
    harness: StaffHarness, ani: Browser, fields: dict[str, str], field: str, words: str
):
    answer = await ani.send(await ani.get(OWN), **{"name": "Nama Lain", **fields})
    assert answer.status_code == 422
    assert "<title>Kesalahan: " in answer.text
    assert words in visible_text(answer)
    if field:
        assert f'<a href="#{field}">' in answer.text
        assert f'id="{field}-e"' in answer.text
    assert "name" in fields or 'value="Nama Lain"' in answer.text
    assert not [typed for name, typed in fields.items() if "password" in name and typed in answer.text]
    assert await harness.platform.accounts.account("ani") == Account(
        "ani", "Ani Contoh", "ani@dinas.example", (Role.OFFICER, Role.ADMIN), hash_of(PASSWORD)
    )


async def test_the_current_password_cannot_be_guessed_from_an_open_session(harness: StaffHarness, ani: Browser):
    page = await ani.get(OWN)
    guess = {"name": "Ani Contoh", "current_password": WRONG, "password": ANOTHER}
    for _ in range(10):
        assert (await ani.send(page, **guess)).status_code == 422
    refused = await ani.send(page, **{**guess, "current_password": PASSWORD})
    assert refused.status_code == 429
    assert "Terlalu banyak percobaan" in visible_text(refused)
    assert not await can_sign_in(harness, "ani", PASSWORD)
    harness.clock.advance(minutes=15, seconds=1)
    assert (await ani.send(page, **{**guess, "current_password": PASSWORD})).status_code == 303


async def test_changing_the_own_name_does_not_extend_the_session(harness: StaffHarness, ani: Browser):
    for minute in range(25 * 29):
        if minute % 29 == 0:
            await ani.send(await ani.get(OWN), name=f"Ani {minute}")
        harness.clock.advance(minutes=1)
        if (await harness.platform.identity.authenticate(kept_session(ani))) is None:
            break
    assert 12 * 60 - 1 <= minute <= 12 * 60 + 1


@pytest.mark.parametrize("who", PEOPLE)
async def test_every_role_has_an_account_page(harness: StaffHarness, who: str):
    async with browser(harness, who) as one:
        page = await one.get(OWN)
        assert page.status_code == 200
        assert PEOPLE[who][0] in page.text
        assert ("semua bagian berjalan" in page.text) == (who == "admin")


# The own account in the API


async def test_an_api_client_changes_its_own_account(harness: StaffHarness):
    async with harness.http as client:
        first = (await client.post("/api/session", json={"username": "ani", "password": PASSWORD})).json()["token"]
        client.cookies.clear()
        mine = {"Authorization": f"Bearer {first}"}
        answer = await client.patch("/api/session", json={"name": "Ani Program"}, headers=mine)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert answer.json()["name"] == "Ani Program"
        assert (await client.get("/api/session", headers=mine)).status_code == 401
        mine = {"Authorization": f"Bearer {answer.json()['token']}"}
        wrong = await client.patch("/api/session", json={"password": ANOTHER, "current_password": WRONG}, headers=mine)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "current_password")
        right = await client.patch(
            "/api/session", json={"password": ANOTHER, "current_password": PASSWORD}, headers=mine
        )
        assert right.status_code == 200
        bodies: list[Any] = [{"roles": ["admin"]}, {"active": True}, {"name": 5}, []]
        for body in bodies:
            mine = {"Authorization": f"Bearer {right.json()['token']}"}
            assert (await client.patch("/api/session", json=body, headers=mine)).status_code == 422
    assert await can_sign_in(harness, "ani", ANOTHER)


async def test_a_browser_that_calls_the_api_keeps_its_session(harness: StaffHarness):
    async with harness.http as client:
        csrf = (await client.post("/api/session", json={"username": "ani", "password": PASSWORD})).json()["csrf"]
        refused = await client.patch("/api/session", json={"name": "Ani Baru"})
        assert refused.status_code == 403
        answer = await client.patch("/api/session", json={"name": "Ani Baru"}, headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 200
        assert (await client.get("/api/session")).json()["name"] == "Ani Baru"


# Staff accounts


async def test_the_list_has_every_account_with_its_roles(harness: StaffHarness, admin: Browser):
    await harness.platform.accounts.add(
        Account("lama", "Akun Lama", "lama@x.example", (Role.OFFICER,), "-", active=False)
    )
    page = await admin.get(ACCOUNTS)
    seen = visible_text(page)
    for username, (name, _) in PEOPLE.items():
        assert name in seen
        assert f'href="{account_path(username)}"' in page.text
    assert "Penanggung Jawab Struktural, Penanggung Jawab Teknis" in seen
    assert seen.count("Nonaktif") == 1


async def test_a_generated_password_is_shown_once(harness: StaffHarness, admin: Browser):
    page = await admin.get(account_path("baru"))
    made = await admin.send(page, **NEW)
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    [password] = re.findall(r'class="key-text">([^<]+)<', made.text)
    assert len(password) == 34
    assert await can_sign_in(harness, "siti", password)
    for path in (ACCOUNTS, account_path("siti"), f"{ACCOUNTS}?ditambah=siti"):
        assert password not in (await admin.get(path)).text
    account = await harness.platform.accounts.account("siti")
    assert account is not None
    assert (account.name, account.roles, account.active) == ("Siti Rekaan", (Role.OFFICER, Role.TECHNICAL), True)


async def test_a_form_sent_twice_adds_one_account_and_shows_the_stored_password(harness: StaffHarness, admin: Browser):
    page = await admin.get(account_path("baru"))
    first, second = await admin.send(page, **NEW), await admin.send(page, **NEW)
    shown = [re.findall(r'class="key-text">([^<]+)<', answer.text) for answer in (first, second)]
    assert shown[0] == shown[1]
    assert await can_sign_in(harness, "siti", shown[1][0])


async def test_another_account_gets_another_password(admin: Browser):
    shown = []
    for username in ("siti", "situ"):
        answer = await admin.send(await admin.get(account_path("baru")), **{**NEW, "username": username})
        shown += re.findall(r'class="key-text">([^<]+)<', answer.text)
    assert len(set(shown)) == 2


async def test_a_typed_password_is_not_shown(harness: StaffHarness, admin: Browser):
    answer = await admin.send(await admin.get(account_path("baru")), **NEW, password=ANOTHER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ACCOUNTS}?ditambah=siti")
    assert "Akun siti ditambahkan" in visible_text(await admin.get(answer.headers["location"])).replace("  ", " ")
    assert await can_sign_in(harness, "siti", ANOTHER)


@pytest.mark.parametrize(
    ("fields", "status", "field", "words"),
    [
        ({"username": "Siti"}, 422, "username", "huruf kecil"),
        ({"username": "baru"}, 422, "username", "dipakai oleh sistem"),
        ({"username": "nurlaila"}, 409, "username", "Nama pengguna nurlaila sudah dipakai"),
        ({"name": ""}, 422, "name", "Nama wajib diisi."),
        ({"email": "siti"}, 422, "email", "tidak dikenali"),
        ({"roles": None}, 422, "roles", "Peran wajib diisi."),
        ({"roles": "root"}, 422, "", "Pilih salah satu"),
        ({"password": "pendek"}, 422, "password", "paling sedikit 12 huruf"),
        ({"password": "password1234"}, 422, "password", "mudah ditebak"),
        ({"active": "yes"}, 422, "", "tidak dikenal"),
    ],
)
async def test_errors_of_a_new_account_are_shown_and_input_is_kept(
    harness: StaffHarness, admin: Browser, fields: dict[str, str | None], status: int, field: str, words: str
):
    answer = await admin.send(await admin.get(account_path("baru")), **{**NEW, **fields})
    assert answer.status_code == status
    assert words in visible_text(answer)
    if field:
        assert f'<a href="#{field}">' in answer.text
    assert ('value="siti@dinas.example"' in answer.text) or "email" in fields
    assert ('value="technical" checked' in answer.text) or "roles" in fields
    assert await harness.platform.accounts.account("siti") is None


async def test_all_missing_fields_are_reported_at_once(admin: Browser):
    answer = await admin.send(await admin.get(account_path("baru")), username="S")
    assert re.findall(r'<a href="#(\w+)">', answer.text) == ["username", "name", "email", "roles"]


async def test_an_account_is_changed_by_its_form(harness: StaffHarness, admin: Browser):
    page = await admin.get(account_path("nurlaila"))
    assert 'value="Nurlaila Ibarat"' in page.text
    assert 'value="officer" checked' in page.text
    answer = await admin.send(page, name="Nurlaila Baru", email="nb@x.example", roles=["technical"])
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ACCOUNTS}?diubah=nurlaila")
    account = await harness.platform.accounts.account("nurlaila")
    assert account == Account("nurlaila", "Nurlaila Baru", "nb@x.example", (Role.TECHNICAL,), "-", active=False)
    async with browser(harness, "nurlaila") as other:
        assert (await other.get(OWN)).status_code == 303


async def test_a_new_password_is_generated_or_typed_but_not_both(harness: StaffHarness, admin: Browser):
    page = await admin.get(account_path("nurlaila"))
    whole: dict[str, Any] = {
        "name": "Nurlaila Ibarat",
        "email": "nurlaila@kominfo.example",
        "roles": "officer",
        "active": "yes",
    }
    both = await admin.send(page, **whole, password=ANOTHER, make="yes")
    assert both.status_code == 422
    assert "Kosongkan isian ini" in visible_text(both)
    made = await admin.send(page, **whole, make="yes")
    [password] = re.findall(r'class="key-text">([^<]+)<', made.text)
    assert await can_sign_in(harness, "nurlaila", password)
    typed = await admin.send(page, **whole, password=ANOTHER)
    assert typed.status_code == 303
    assert await can_sign_in(harness, "nurlaila", ANOTHER)
    unchanged = await admin.send(page, **whole)
    assert unchanged.status_code == 303
    assert await can_sign_in(harness, "nurlaila", ANOTHER)


async def test_an_administrator_who_changes_their_own_account_stays_signed_in(harness: StaffHarness, ani: Browser):
    page = await ani.get(account_path("ani"))
    assert "password" not in page.text.partition("<main")[2]
    whole: dict[str, Any] = {
        "name": "Ani Baru",
        "email": "ani@dinas.example",
        "roles": ["officer", "admin"],
        "active": "yes",
    }
    answer = await ani.send(page, **whole)
    assert answer.status_code == 303
    assert (await ani.get(ACCOUNTS)).status_code == 200
    for more in ({"password": ANOTHER}, {"make": "yes"}):
        refused = await ani.send(await ani.get(account_path("ani")), **whole, **more)
        assert refused.status_code == 422
        assert "Akun saya" in visible_text(refused)
    closed = await ani.send(await ani.get(account_path("ani")), **{**whole, "active": None})
    assert closed.status_code == 409
    assert '<a href="#active">' in closed.text
    assert "menonaktifkan akun Anda sendiri" in visible_text(closed)


async def test_the_last_administrator_stays_one(harness: StaffHarness, admin: Browser):
    await harness.platform.identity.change_staff("ani", roles=(Role.OFFICER,))
    whole: dict[str, Any] = {"name": "Admin Contoh", "email": "admin@kominfo.example", "active": "yes"}
    answer = await admin.send(await admin.get(account_path("admin")), **whole, roles=["officer"])
    assert answer.status_code == 409
    assert '<a href="#roles">' in answer.text
    assert "Administrator aktif yang terakhir" in visible_text(answer)
    assert 'value="officer" checked' in answer.text
    assert (await admin.get(ACCOUNTS)).status_code == 200


async def test_an_unknown_username_is_a_not_found_page(admin: Browser):
    for username in ("nobody", "a%2Fb", "%00", "<b>"):
        page = await admin.get(account_path(username))
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")


async def test_an_ended_session_gives_back_the_input_without_passwords(harness: StaffHarness, admin: Browser):
    page = await admin.get(account_path("baru"))
    admin.client.cookies.delete(COOKIE)
    asked = await admin.send(page, **{**NEW, "name": NASTY}, password=ANOTHER)
    assert asked.status_code == 401
    assert ANOTHER not in asked.text
    resumed = await admin.send(asked, SIGN_IN, username="ani", password=PASSWORD)
    shown = await admin.send(resumed, account_path("baru"))
    assert shown.status_code == 200
    assert 'value="siti@dinas.example"' in shown.text
    assert await harness.platform.accounts.account("siti") is None


@pytest.mark.parametrize("who", [name for name in PEOPLE if name != "admin"])
async def test_accounts_are_for_administrators(harness: StaffHarness, who: str):
    async with browser(harness, who) as other:
        for path in (ACCOUNTS, account_path("baru"), account_path("admin")):
            page = await other.get(path)
            assert page.status_code == 403
            assert "admin@kominfo" not in page.text
