"""The page that shows what is set, and where each value comes from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.calendar import official_calendar
from shared.contracts.facts import Staff
from shared.office.settings import DayChange, OfficeSettings
from shared.web.office.settings import listed_days
from shared.web.office.settings_pages import day_source
from tests.support.services.assignment_pages import page, visible_text
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness

PAGE = "/pengaturan"


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffHarness]:
    monkeypatch.setenv("SIMPUL_OFFICE_PHONE", "0923 123456")
    async with services_harness(tmp_path, "notification") as opened:
        yield opened


@pytest.mark.parametrize("who", ["hasan", "admin"])
async def test_heads_and_administrators_read_the_settings_with_their_source(harness: StaffHarness, who: str):
    shown = await page(harness, who, PAGE)
    text = visible_text(shown)
    assert shown.status_code == 200
    for sentence in (
        "Telepon 0923 123456 SIMPUL_OFFICE_PHONE",
        "Lambang Belum diisi Bawaan Simpul; diubah dengan SIMPUL_OFFICE_ARMS",
        "Nama kantor Dinas Komunikasi dan Informatika Bawaan Simpul; diubah dengan SIMPUL_OFFICE_NAME",
        "Satu berkas, paling besar 25 MB Bawaan Simpul; diubah dengan SIMPUL_FILE_LIMIT",
        "Verifikasi 1 Penunjukan penanggung jawab teknis 2",
        "Hari Raya Natal Libur nasional atau cuti bersama, bawaan Simpul",
        "Dokumen persyaratan lengkap dan terbaca",
    ):
        assert sentence in text, (sentence, text)
    assert re.search(r'<a class="btn sec" href="/kalimat">', shown.text)
    assert "<form method" not in shown.text.partition("<main")[2]


@pytest.mark.parametrize(("who", "status"), [("nurlaila", 403), ("dewi", 403)])
async def test_others_do_not_read_the_settings(harness: StaffHarness, who: str, status: int):
    assert (await page(harness, who, PAGE)).status_code == status


def test_the_days_off_of_the_coming_year_name_what_the_office_changed():
    calendar = official_calendar({date(2026, 12, 9): "Pemilihan kepala desa", date(2026, 12, 25): None})
    days = listed_days(OfficeSettings.without_changes(calendar), date(2026, 12, 1))
    assert [(one.day, one.name, one.is_working_day, day_source(one)) for one in days[:3]] == [
        (date(2026, 12, 9), "Pemilihan kepala desa", False, "calendar.json"),
        (
            date(2026, 12, 24),
            "Cuti Bersama Hari Raya Natal",
            False,
            "Libur nasional atau cuti bersama, bawaan Simpul",
        ),
        (date(2026, 12, 25), "Hari Raya Natal", True, "calendar.json"),
    ]
    assert all(one.day.weekday() < 5 for one in days)
    assert days[-1].day < date(2027, 12, 1)


def test_a_day_of_the_file_is_one_after_a_page_has_changed_it():
    election, by = date(2026, 12, 9), Staff(username="admin", name="Admin Contoh")
    settings = OfficeSettings.without_changes(official_calendar({election: "Pemilihan kepala desa"}))
    renamed = settings.with_day(
        DayChange(day=election, name="Pemilihan bupati", by=by, at=datetime(2026, 11, 23, 3, tzinfo=UTC))
    )
    for held in (settings, renamed):
        (day,) = held.days_off(election, election)
        assert day.in_file


async def test_days_on_which_the_office_works_are_marked(harness: StaffHarness):
    assert (await harness.call("admin", "DELETE", "/api/holidays/2026-12-25")).status_code == 200
    text = visible_text(await page(harness, "hasan", PAGE))
    assert "Tetap hari kerja: Hari Raya Natal Ditetapkan kantor, dicatat Admin Contoh, 23 November 2026" in text
