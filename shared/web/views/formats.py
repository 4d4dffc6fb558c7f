"""Days and moments as people in Halmahera Timur read them."""

from __future__ import annotations

from datetime import date, datetime

from shared.calendar import WIT

DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


def format_date(day: date) -> str:
    """7 Desember 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def format_datetime(moment: datetime) -> str:
    """7 Desember 2026, 10.14 WIT."""
    local = moment.astimezone(WIT)
    return f"{format_date(local.date())}, {local:%H.%M} WIT"


def format_weekday_date(day: date) -> str:
    """Senin, 7 Desember 2026."""
    return f"{DAYS[day.weekday()]}, {format_date(day)}"


def format_weekday_datetime(moment: datetime) -> str:
    """Senin, 7 Desember 2026, 10.14 WIT."""
    local = moment.astimezone(WIT)
    return f"{format_weekday_date(local.date())}, {local:%H.%M} WIT"


def format_short_date(day: date) -> str:
    """Sen 7 Des, as tables of open work have it."""
    return f"{DAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3]}"


def format_short_datetime(moment: datetime) -> str:
    """Sen 7 Des, 10.14."""
    local = moment.astimezone(WIT)
    return f"{format_short_date(local.date())}, {local:%H.%M}"


def format_time(moment: datetime) -> str:
    """10.14.06 WIT."""
    return f"{moment.astimezone(WIT):%H.%M.%S} WIT"
