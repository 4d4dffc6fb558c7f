"""Substitutes (Plh, Plt): who may act for whom on which days, and how events, documents and emails name them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pypdfium2 import PdfDocument

from services.notification.email_composer import CachedStaffDirectory
from shared.backends.platform import open_platform
from shared.identity.accounts import Role
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import (
    API,
    ASSIGN,
    WORK,
    advance_to,
    error_beside,
    page,
    rows,
    visible_text,
)
from tests.support.services.form_browser import browser
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness, pdf

PATH, PAGE = "/api/substitutes", "/pengganti"
FOR_HASAN = {"username": "hasan", "substitute": "nurlaila", "from": "2026-11-24", "until": "2026-11-25"}
FOR_DEWI = {"username": "dewi", "substitute": "jafar", "from": "2026-11-23", "until": "2026-11-25"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def add(harness: StaffHarness, **body: Any) -> dict[str, Any]:
    answer = await harness.post("admin", PATH, body)
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


async def test_a_substitute_is_recorded_once_listed_and_ended(harness: StaffHarness):
    first = await harness.post("halima", PATH, FOR_HASAN, key="once")
    assert (first.status_code, {**first.json(), "id": ""}) == (
        201,
        {
            "id": "",
            "kind": "plh",
            "substitute": "nurlaila",
            "substitute_name": "Nurlaila Ibarat",
            "username": "hasan",
            "role": None,
            "name": "Hasan Umpama",
            "from": "2026-11-24",
            "until": "2026-11-25",
            "active": False,
            "by": "halima",
        },
    )
    assert (await harness.post("halima", PATH, FOR_HASAN, key="once")).json() == first.json()
    other = await harness.post("halima", PATH, {**FOR_HASAN, "until": "2026-11-26"}, key="once")
    assert other.status_code == 422
    listed = await harness.get("admin", PATH)
    assert listed.json() == {"items": [first.json()], "next": None, "previous": None}
    ended = await harness.call("admin", "DELETE", f"{PATH}/{first.json()['id']}")
    assert (ended.status_code, ended.json()) == (200, {})
    assert (await harness.get("admin", PATH)).json()["items"] == []
    # A repeated call gets its first answer, and nobody stands in again.
    repeated = await harness.post("halima", PATH, FOR_HASAN, key="once")
    assert (repeated.status_code, repeated.json()) == (201, first.json())
    assert (await harness.get("admin", PATH)).json()["items"] == []
    assert (await harness.post("halima", PATH, FOR_HASAN)).json()["id"] != first.json()["id"]
    assert (await harness.call("admin", "DELETE", f"{PATH}/{first.json()['id']}")).status_code == 404
    assert (await harness.post("nurlaila", PATH, FOR_HASAN)).status_code == 403


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"username": None}, "username", "Pilih satu orang atau satu peran yang digantikan."),
    ({"role": "structural"}, "username", "Pilih satu orang atau satu peran yang digantikan."),
    ({"username": None, "role": "technical"}, "role", "Pekerjaan Penanggung Jawab Teknis melekat pada orang."),
    ({"username": None, "role": "admin"}, "role", "Pekerjaan Penanggung Jawab Teknis melekat pada orang."),
    ({"username": None, "role": "officer"}, "substitute", "Orang ini sudah mempunyai peran tersebut."),
    ({"username": "admin"}, "username", "Pilih orang yang mempunyai peran Petugas Layanan TI"),
    ({"substitute": "hasan"}, "substitute", "Pilih pengganti selain orang yang digantikan."),
    ({"substitute": "siapa"}, "substitute", "Pilih pengganti yang akunnya aktif."),
    ({"until": "2026-11-23"}, "until", "Hari terakhir tidak boleh sebelum hari pertama."),
    ({"from": "2026-11-20", "until": "2026-11-22"}, "until", "Pilih hari terakhir yang belum lewat."),
    ({"until": "2027-11-25"}, "until", "Tetapkan paling lama 366 hari"),
    ({"from": "besok"}, "from", "Tulis tanggal dengan susunan tahun-bulan-hari"),
    ({"kind": "pjs"}, "kind", "Pilih salah satu: plh, plt."),
    ({"days": 3}, "days", "Isian ini tidak dikenal."),
]


async def test_impossible_substitutes_are_refused(harness: StaffHarness):
    for change, field, message in REFUSALS:
        answer = await harness.post("admin", PATH, {**FOR_HASAN, **change})
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert (error["field"], error["message"][: len(message)]) == (field, message)
    assert (await harness.get("admin", PATH)).json()["items"] == []


async def test_a_person_has_one_substitute_at_a_time(harness: StaffHarness):
    await add(harness, **FOR_HASAN)
    again = {**FOR_HASAN, "substitute": "samsul", "from": "2026-11-25", "until": "2026-11-30"}
    answer = await harness.post("admin", PATH, again)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Nurlaila Ibarat sudah menggantikannya sampai 25 November 2026.")
    await add(harness, **{**again, "from": "2026-11-26"})


async def test_the_substitute_of_a_head_acts_on_these_days_only(harness: StaffHarness, tmp_path: Path):
    await advance_to(harness, "verified")
    await add(harness, **FOR_HASAN)
    assert (await harness.get("nurlaila", API)).status_code == 403
    harness.clock.now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # midnight in Halmahera Timur
    await harness.sign_in_again_after()
    session = (await harness.get("nurlaila", "/api/session")).json()
    assert session["roles"] == ["officer", "structural"]
    answer = await harness.post("nurlaila", f"{API}/{REQUEST}/assignment", ASSIGN)
    assert answer.status_code == 200, answer.text
    shown = (await harness.get("hasan", f"{API}/{REQUEST}")).json()
    assert shown["timeline"][-1]["by"] == "Nurlaila Ibarat (Plh. Hasan Umpama), Penanggung Jawab Struktural"
    (event,) = await harness.events("assignment")
    assert event.fact.model_dump()["by"] == {
        "username": "nurlaila",
        "name": "Nurlaila Ibarat (Plh. Hasan Umpama)",
        "acting_for": "hasan",
    }
    # Nobody extends the own substitution, and what is done as an officer bears the own name alone.
    assert (
        await harness.post("nurlaila", PATH, {**FOR_HASAN, "from": "2026-11-26", "until": "2026-11-30"})
    ).status_code == 403
    note = await harness.post(
        "nurlaila", f"/api/verification/requests/{REQUEST}/notes", {"text": "Sudah saya periksa."}
    )
    assert note.status_code == 200
    notes = (await harness.get("nurlaila", f"/api/verification/requests/{REQUEST}/notes")).json()["items"]
    assert [one["by"] for one in notes] == ["Nurlaila Ibarat"]

    # Another process on the same folder, as after a restart, knows it too.
    other = open_platform(harness.platform.settings, harness.clock)
    principal = await other.identity.authenticate("token of nurlaila")
    assert principal is not None
    assert principal.roles == (Role.OFFICER, Role.STRUCTURAL)
    await harness.sign_in_again_after(hours=48)
    assert harness.clock().date() == date(2026, 11, 25)  # midnight after the last day
    assert (await harness.get("nurlaila", API)).status_code == 403
    assert not await other.identity.is_session_active(principal)
    await other.close()


async def test_ending_a_substitution_takes_the_rights_away_at_the_next_call(harness: StaffHarness):
    added = await add(harness, **{**FOR_HASAN, "from": "2026-11-23"})
    assert (await harness.get("nurlaila", API)).status_code == 200
    principal = await harness.platform.identity.authenticate("token of nurlaila")
    assert principal is not None
    assert await harness.platform.identity.is_session_active(principal)
    await harness.call("admin", "DELETE", f"{PATH}/{added['id']}")
    assert (await harness.get("nurlaila", API)).status_code == 403
    assert not await harness.platform.identity.is_session_active(principal)


async def test_the_substitute_of_a_role_is_named_with_the_role(harness: StaffHarness):
    await advance_to(harness, "verified")
    await add(
        harness, role="structural", substitute="samsul", kind="plt", **{"from": "2026-11-23", "until": "2026-12-31"}
    )
    assert (await harness.post("samsul", f"{API}/{REQUEST}/assignment", ASSIGN)).status_code == 200
    shown = (await harness.get("hasan", f"{API}/{REQUEST}")).json()
    assert shown["timeline"][-1]["by"] == "Samsul Seandainya (Plt. Penanggung Jawab Struktural)"


async def test_the_substitute_of_a_person_and_a_role_is_found_by_both(harness: StaffHarness):
    await add(harness, username="hasan", substitute="jafar", **{"from": "2026-11-22", "until": "2026-11-25"})
    await add(harness, role="officer", substitute="jafar", **{"from": "2026-11-23", "until": "2026-11-25"})
    for role, name in ((Role.STRUCTURAL, "Plh. Hasan"), (Role.OFFICER, "Plh.")):
        [(account, capacity)] = await harness.platform.substitutes.substitutes_with_role(role)
        assert account.username == "jafar"
        assert role in capacity.roles
        assert name in capacity.name_of("Jafar")


async def test_the_substitute_of_a_lead_does_the_work_of_the_lead(harness: StaffHarness):
    await advance_to(harness, "assigned")
    assert (await harness.get("jafar", f"{API}/{REQUEST}")).status_code == 404
    await add(harness, **FOR_DEWI)
    own, hers = await harness.get("jafar", API), await harness.get("jafar", API, params={"lead": "dewi"})
    assert ([one["id"] for one in own.json()["items"]], [one["id"] for one in hers.json()["items"]]) == ([], [REQUEST])
    assert (await harness.get("jafar", API, params={"lead": "kepala"})).json()["items"] == []
    assert rows(await page(harness, "jafar", "/pekerjaan")) == []
    listed = await page(harness, "jafar", "/pekerjaan?lead=dewi")
    assert rows(listed) == [REQUEST]
    assert "Plh. Dewi Andaian 1" in visible_text(listed)
    assert "Penanggung Jawab Teknis, juga Plh. Dewi Andaian" in visible_text(listed)
    async with browser(harness, "jafar") as client:
        started = await client.send(await client.get(WORK), WORK)
    assert started.status_code == 303, started.text
    noted = await harness.post("jafar", f"{API}/{REQUEST}/progress", {"note": "Akun uji dibuat.", "percent": 40})
    assert noted.status_code == 200
    form = {"summary": "Selesai."}
    done = await harness.post(
        "jafar", f"{API}/{REQUEST}/completion", data=form, files={"documents": ("laporan.pdf", pdf(1))}
    )
    assert done.status_code == 200, done.text
    events = await harness.events("assignment")
    assert [event.fact.model_dump()["by"]["name"] for event in events[1:]] == [
        "Jafar Ibaratnya (Plh. Dewi Andaian)"
    ] * 3
    shown = (await harness.get("hasan", f"{API}/{REQUEST}")).json()
    assert (shown["lead"], shown["lead_name"], shown["status"]) == ("dewi", "Dewi Andaian", "delivered")
    record = next(one for one in shown["documents"] if one["kind"] == "handover_record")
    answer = await harness.get("hasan", f"{API}/{REQUEST}/documents/{record['id']}")
    assert "Jafar Ibaratnya (Plh. Dewi Andaian)" in text_of(answer)


def text_of(answer: httpx.Response) -> str:
    document = PdfDocument(answer.content)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    return " ".join(text.split())


async def test_emails_go_to_the_substitute_too(harness: StaffHarness):
    await add(harness, **FOR_DEWI)
    await add(
        harness, role="structural", substitute="samsul", kind="plt", **{"from": "2026-11-23", "until": "2026-12-31"}
    )
    directory = CachedStaffDirectory(harness.platform.accounts, substitutes=harness.platform.substitutes)
    assert [(one.name, one.address) for one in await directory.recipients_for("dewi")] == [
        ("Dewi Andaian", "dewi@kominfo.example"),
        ("Jafar Ibaratnya (Plh. Dewi Andaian)", "jafar@kominfo.example"),
    ]
    assert [one.name for one in await directory.accounts_with_role("structural")] == [
        "Halima Misalnya",
        "Hasan Umpama",
        "Kepala Contoh",
        "Samsul Seandainya (Plt. Penanggung Jawab Struktural)",
    ]


async def test_the_page_records_and_ends_a_substitute(harness: StaffHarness):
    async with browser(harness, "hasan") as client:
        shown = await client.get(PAGE)
        assert "Belum ada pengganti" in visible_text(shown)
        refused = await client.send(shown, substitute="nurlaila", kind="plh", from_day="24", from_month="11")
        assert (refused.status_code, error_beside(refused, "whom")) == (422, "Wajib diisi.")
        assert error_beside(refused, "from") == "Isi juga tahun."
        days = {"from_day": "24", "from_month": "11", "from_year": "2026"}
        days |= {"until_day": "25", "until_month": "11", "until_year": "2026"}
        wrong = await client.send(shown, whom="orang:hasan", substitute="hasan", kind="plh", **days)
        assert wrong.status_code == 422, visible_text(wrong)[-900:]
        assert error_beside(wrong, "substitute") == "Pilih pengganti selain orang yang digantikan."
        saved = await client.send(shown, whom="orang:hasan", substitute="nurlaila", kind="plh", **days)
        assert (saved.status_code, saved.headers["Location"]) == (303, f"{PAGE}?ditetapkan=nurlaila")
        listed = await client.get(saved.headers["Location"])
        assert "Nurlaila Ibarat ditetapkan sebagai pengganti." in visible_text(listed)
        assert "Plh. Hasan Umpama" in visible_text(listed)
        (added,) = (await harness.get("hasan", PATH)).json()["items"]
        data = {"_csrf": hidden(listed, "_csrf"), "id": added["id"], "_do": "end"}
        ended = await client.client.post(PAGE, data=data)
        assert (ended.status_code, ended.headers["Location"]) == (303, f"{PAGE}?diakhiri")
        assert "Tugas pengganti berakhir." in visible_text(await client.get(ended.headers["Location"]))


def hidden(shown: httpx.Response, name: str) -> str:
    return shown.text.partition(f'name="{name}" value="')[2].partition('"')[0]
