"""The page that shows what is set, and where each value comes from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from shared.calendar import official_calendar
from shared.office.settings import OfficeSettings
from shared.web.office.settings_pages import HolidayRow, coming_holidays
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
    rows = coming_holidays(OfficeSettings.without_changes(calendar), date(2026, 12, 1))
    assert rows[:3] == [
        HolidayRow(date(2026, 12, 9), "Pemilihan kepala desa", "calendar.json"),
        HolidayRow(
            date(2026, 12, 24), "Cuti Bersama Hari Raya Natal", "Libur nasional atau cuti bersama, bawaan Simpul"
        ),
        HolidayRow(date(2026, 12, 25), "Tetap hari kerja: Hari Raya Natal", "calendar.json"),
    ]
    assert all(row.day.weekday() < 5 for row in rows)
    assert rows[-1].day < date(2027, 12, 1)
