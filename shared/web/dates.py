"""Days and moments as people in Halmahera Timur read them."""

from __future__ import annotations

from datetime import date, datetime

from shared.calendar import WIT

DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


def plain_day(day: date) -> str:
    """7 Desember 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def plain_moment(moment: datetime) -> str:
    """7 Desember 2026, 10.14 WIT."""
    there = moment.astimezone(WIT)
    return f"{plain_day(there.date())}, {there:%H.%M} WIT"


def day_words(day: date) -> str:
    """Senin, 7 Desember 2026."""
    return f"{DAYS[day.weekday()]}, {plain_day(day)}"


def moment_words(moment: datetime) -> str:
    """Senin, 7 Desember 2026, 10.14 WIT."""
    there = moment.astimezone(WIT)
    return f"{day_words(there.date())}, {there:%H.%M} WIT"


def short_day(day: date) -> str:
    """Sen 7 Des, as tables of open work have it."""
    return f"{DAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3]}"


def short_moment(moment: datetime) -> str:
    """Sen 7 Des, 10.14."""
    there = moment.astimezone(WIT)
    return f"{short_day(there.date())}, {there:%H.%M}"


def clock_words(moment: datetime) -> str:
    """10.14.06 WIT."""
    return f"{moment.astimezone(WIT):%H.%M.%S} WIT"
