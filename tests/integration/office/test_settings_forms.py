"""The pages on which administrators set days off and targets."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from shared.calendar import official_calendar
from shared.contracts.facts import Staff
from shared.contracts.stages import MovedDue, StageRules
from tests.support.services.assignment_pages import error_beside, page, send, submit_form, visible_text
from tests.support.services.form_browser import browser
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness

HOLIDAYS, TARGETS = "/pengaturan/libur", "/pengaturan/target"
TUESDAY = {"day_day": "24", "day_month": "11", "day_year": "2026"}
ELECTION = {**TUESDAY, "name": "Pemilihan kepala desa", "basis": "regent_decree"}
DAYS = {
    "verify_days": "1",
    "appoint_days": "2",
    "start_days": "2",
    "work_days": "20",
    "respond_days": "10",
    "answer_days": "5",
    "confirm_days": "5",
}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def test_a_day_off_that_moves_nothing_is_saved_at_once(harness: StaffHarness):
    saved = await submit_form(harness, "admin", HOLIDAYS, **ELECTION)
    assert (saved.status_code, saved.headers["location"]) == (303, f"{HOLIDAYS}?tersimpan=2026-11-24")
    text = visible_text(await page(harness, "admin", saved.headers["location"]))
    assert "Selasa, 24 November 2026 kini hari libur: Pemilihan kepala desa." in text
    assert "Pemilihan kepala desa Keputusan Bupati, dicatat Admin Contoh, 23 November 2026" in text
    assert "Dicatat atas nama Anda, Admin Contoh." in text
    # Heads read it on the page of all settings.
    read = visible_text(await page(harness, "hasan", "/pengaturan"))
    assert "Pemilihan kepala desa Keputusan Bupati, dicatat Admin Contoh, 23 November 2026" in read


async def test_a_day_off_that_moves_requests_is_saved_after_they_were_shown(harness: StaffHarness):
    submitted = await harness.submitted()
    async with browser(harness, "admin") as opened:
        shown = await opened.send(await opened.get(HOLIDAYS), **ELECTION)
        assert shown.status_code == 200
        text = visible_text(shown)
        assert "Selasa, 24 November 2026 menjadi hari libur: Pemilihan kepala desa" in text
        assert f"{submitted.number} Verifikasi Sel 24 Nov menjadi Rab 25 Nov" in text
        assert harness.platform.calendar.is_working_day(date(2026, 11, 24))
        saved = await opened.send(shown, _do="save")
        assert saved.status_code == 303
        (change,) = harness.platform.office_settings.current.day_changes
        assert (change.name, change.by.name) == ("Pemilihan kepala desa", "Admin Contoh")


async def test_days_off_are_removed_and_brought_back(harness: StaffHarness):
    async with browser(harness, "admin") as opened:
        shown = await opened.get(HOLIDAYS)
        removed = await opened.send(shown, day="2026-12-25", _do="remove")
        shown = await opened.get(removed.headers["location"])
        text = visible_text(shown)
        assert "Jumat, 25 Desember 2026 kini hari kerja." in text
        assert "Tetap hari kerja: Hari Raya Natal Ditetapkan kantor, dicatat Admin Contoh, 23 November 2026" in text
        fields = {"day": "2026-12-25", "name": "Hari Raya Natal", "basis": "joint_decree"}
        restored = await opened.send(shown, _do="restore", **fields)
        text = visible_text(await opened.get(restored.headers["location"]))
        assert "Jumat, 25 Desember 2026 kini hari libur: Hari Raya Natal." in text
        assert (await opened.send(shown, day="kemarin", _do="remove")).status_code == 404


async def test_a_refused_day_off_keeps_what_was_typed(harness: StaffHarness):
    shown = await submit_form(harness, "admin", HOLIDAYS, **{**ELECTION, "day_day": "31"})
    assert (shown.status_code, error_beside(shown, "day")) == (
        422,
        "31 November 2026 tidak ada di kalender. Periksa tanggal, bulan, dan tahunnya.",
    )
    assert 'value="Pemilihan kepala desa"' in shown.text
    shown = await submit_form(harness, "admin", HOLIDAYS, **TUESDAY)
    assert error_beside(shown, "name") == "Wajib diisi."
    shown = await submit_form(harness, "admin", HOLIDAYS, **{**ELECTION, "day_day": "28"})
    assert error_beside(shown, "day") == "Hari ini Sabtu atau Minggu, yang memang bukan hari kerja."
    assert 'name="day_day" class="num" inputmode="numeric" maxlength="2" value="28"' in shown.text


async def test_targets_are_saved_after_the_requests_that_move_were_shown(harness: StaffHarness):
    submitted = await harness.submitted()
    form = await page(harness, "admin", TARGETS)
    assert "Bawaan Simpul" in visible_text(await page(harness, "admin", "/pengaturan"))
    shown = await send(harness, "admin", TARGETS, form, **{**DAYS, "verify_days": "3"})
    assert shown.status_code == 200
    assert f"{submitted.number} Verifikasi Sel 24 Nov menjadi Kam 26 Nov" in visible_text(shown)
    # Another number than the one that was shown is shown first too.
    shown = await send(harness, "admin", TARGETS, shown, **{**DAYS, "verify_days": "4"})
    assert (shown.status_code, harness.platform.rules().verify_days) == (200, 1)
    assert "Jum 27 Nov" in visible_text(shown)
    saved = await send(harness, "admin", TARGETS, shown, **{**DAYS, "verify_days": "4"})
    assert (saved.status_code, harness.platform.rules().verify_days) == (303, 4)
    text = visible_text(await page(harness, "admin", saved.headers["location"]))
    assert "Target tersimpan." in text
    assert "Terakhir diubah oleh Admin Contoh, 23 November 2026." in text


async def test_refused_targets_keep_what_was_typed(harness: StaffHarness):
    shown = await submit_form(harness, "admin", TARGETS, **{**DAYS, "work_days": "400", "start_days": "dua"})
    assert shown.status_code == 422
    assert error_beside(shown, "work_days").startswith("Isi dengan angka paling besar 250")
    assert error_beside(shown, "start_days") == "Isi dengan bilangan bulat."
    assert 'value="400"' in shown.text
    shown = await submit_form(harness, "admin", TARGETS, **{**DAYS, "work_days": ""})
    assert error_beside(shown, "work_days") == "Wajib diisi."


@pytest.mark.parametrize(("path", "fields"), [(HOLIDAYS, ELECTION), (TARGETS, {**DAYS, "verify_days": "2"})])
async def test_a_form_on_older_settings_names_who_saved_meanwhile(
    harness: StaffHarness, path: str, fields: dict[str, str]
):
    early = await page(harness, "admin", path)
    assert (await submit_form(harness, "admin", path, **fields)).status_code == 303
    other = {**fields, "day_day": "25"} if path == HOLIDAYS else {**fields, "verify_days": "3"}
    late = await send(harness, "admin", path, early, **other)
    assert late.status_code == 409
    assert "Admin Contoh sudah menyimpan perubahan pada 23 November 2026" in html.unescape(late.text)
    # The page has the latest version now, and what was typed.
    assert (await send(harness, "admin", path, late, **other)).status_code == 303


@pytest.mark.parametrize(
    "shown_again", [{"day_day": "31", "work_days": "400"}, {"_resume": "1"}], ids=["422", "signed in"]
)
@pytest.mark.parametrize(("path", "fields"), [(HOLIDAYS, ELECTION), (TARGETS, {**DAYS, "verify_days": "2"})])
async def test_a_form_that_is_shown_again_stays_on_its_version(
    harness: StaffHarness, path: str, fields: dict[str, str], shown_again: dict[str, str]
):
    early = await page(harness, "admin", path)
    assert (await submit_form(harness, "admin", path, **fields)).status_code == 303
    other = {**fields, "name": "Pemilihan bupati"} if path == HOLIDAYS else {**fields, "verify_days": "3"}
    known = {name: text for name, text in shown_again.items() if name in {*fields, "_resume"}}
    shown = await send(harness, "admin", path, early, **{**other, **known})
    assert shown.status_code == (200 if "_resume" in known else 422)
    assert (await send(harness, "admin", path, shown, **other)).status_code == 409


async def test_targets_that_are_saved_while_moves_are_looked_up_are_not_overwritten(harness: StaffHarness):
    await harness.submitted()
    register, find_moved = harness.platform.office_settings, harness.app.state.moved_dues

    async def save_meanwhile(before: StageRules, after: StageRules) -> Sequence[MovedDue]:
        moved: Sequence[MovedDue] = await find_moved(before, after)
        if register.current.targets["answer_days"] != 9:
            days = {**register.current.targets, "answer_days": 9}
            await register.save(await register.propose_targets(days, Staff(username="admin", name="Admin Contoh")))
        return moved

    harness.app.state.moved_dues = save_meanwhile
    wanted = {**DAYS, "verify_days": "3"}
    shown = await submit_form(harness, "admin", TARGETS, **wanted)
    assert shown.status_code == 200
    assert (await send(harness, "admin", TARGETS, shown, **wanted)).status_code == 409
    assert harness.platform.rules().answer_days == 9


async def test_a_conflict_leads_to_what_was_saved_meanwhile(harness: StaffHarness):
    early = await page(harness, "admin", TARGETS)
    await submit_form(harness, "admin", TARGETS, **{**DAYS, "verify_days": "2"})
    late = await send(harness, "admin", TARGETS, early, **{**DAYS, "verify_days": "3"})
    text = visible_text(late)
    assert "Isian di halaman ini belum memuat perubahan itu; bila disimpan lagi, isian ini menggantikannya." in text
    assert f'href="{TARGETS}"' in late.text.partition('id="sum"')[2].partition("<h1")[0]


async def test_the_name_and_the_decree_of_a_day_off_are_corrected(harness: StaffHarness):
    await submit_form(harness, "admin", HOLIDAYS, **ELECTION)
    saved = await submit_form(
        harness, "admin", HOLIDAYS, **{**ELECTION, "name": "Pemilihan bupati", "basis": "joint_decree"}
    )
    assert saved.status_code == 303
    text = visible_text(await page(harness, "admin", saved.headers["location"]))
    assert "Selasa, 24 November 2026 kini hari libur: Pemilihan bupati." in text
    assert "Pemilihan bupati SKB 3 Menteri, dicatat Admin Contoh, 23 November 2026" in text
    assert "Pemilihan kepala desa" not in text


async def test_the_page_says_what_a_day_is_that_the_nation_has_far_ahead(harness: StaffHarness):
    day = date(2028, 8, 17)
    name = official_calendar().holiday(day) or ""
    fields = {"day_day": "17", "day_month": "8", "day_year": "2028", "name": name, "basis": "joint_decree"}
    saved = await submit_form(harness, "admin", HOLIDAYS, **fields)
    assert f"Kamis, 17 Agustus 2028 kini hari libur: {name}." in visible_text(
        await page(harness, "admin", saved.headers["location"])
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("2027-12-24", "Jumat, 24 Desember 2027 kini hari libur: Cuti Bersama Hari Raya Natal."),
        ("2028-08-17", "Kamis, 17 Agustus 2028 kini hari libur:"),
        ("2026-11-28", ""),
        ("kemarin", ""),
    ],
)
async def test_what_the_address_calls_saved_is_read_from_the_calendar(harness: StaffHarness, query: str, text: str):
    shown = visible_text(await page(harness, "admin", f"{HOLIDAYS}?tersimpan={query}"))
    assert text in shown
    assert "kini hari" in shown if text else "kini hari" not in shown
    assert "menjadi hari kerja" not in shown


async def test_heads_read_the_settings_and_change_none(harness: StaffHarness):
    for path in (HOLIDAYS, TARGETS):
        assert (await page(harness, "hasan", path)).status_code == 403
    assert f'href="{HOLIDAYS}"' not in (await page(harness, "hasan", "/pengaturan")).text
    assert f'href="{HOLIDAYS}"' in (await page(harness, "admin", "/pengaturan")).text
