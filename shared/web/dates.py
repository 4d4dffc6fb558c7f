"""Days and moments as people in Halmahera Timur read them."""

from __future__ import annotations

from datetime import date, datetime

from shared.calendar import WIT

DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


def day_words(day: date) -> str:
    """Senin, 7 Desember 2026."""
    return f"{DAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def moment_words(moment: datetime) -> str:
    """Senin, 7 Desember 2026, 10.14 WIT."""
    there = moment.astimezone(WIT)
    return f"{day_words(there.date())}, {there:%H.%M} WIT"
