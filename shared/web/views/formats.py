"""Formats of dates, times and file sizes in Bahasa Indonesia, in the local time zone (WIT)."""

from __future__ import annotations

from datetime import date, datetime

from shared.calendar import WIT

KIB, MIB = 1024, 1024 * 1024
DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


def format_date(day: date) -> str:
    """Format a date like 7 Desember 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def format_datetime(moment: datetime) -> str:
    """Format a time like 7 Desember 2026, 10.14 WIT."""
    local = moment.astimezone(WIT)
    return f"{format_date(local.date())}, {local:%H.%M} WIT"


def format_numeric_date(day: date) -> str:
    """Format a date like 07/12/2026, for narrow columns; browsers do not break it."""
    return f"{day:%d/%m/%Y}"


def format_weekday_date(day: date) -> str:
    """Format a date like Senin, 7 Desember 2026."""
    return f"{DAYS[day.weekday()]}, {format_date(day)}"


def format_weekday_datetime(moment: datetime) -> str:
    """Format a time like Senin, 7 Desember 2026, 10.14 WIT."""
    local = moment.astimezone(WIT)
    return f"{format_weekday_date(local.date())}, {local:%H.%M} WIT"


def format_short_date(day: date) -> str:
    """Format a date like Sen 7 Des, for lists of open requests."""
    return f"{DAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3]}"


def format_short_datetime(moment: datetime) -> str:
    """Format a time like Sen 7 Des, 10.14."""
    local = moment.astimezone(WIT)
    return f"{format_short_date(local.date())}, {local:%H.%M}"


def format_time(moment: datetime) -> str:
    """Format a time of day like 10.14.06 WIT."""
    return f"{moment.astimezone(WIT):%H.%M.%S} WIT"


def format_machine_time(moment: datetime) -> str:
    """Format a time for the datetime attribute, which allows at most three digits after the second."""
    return moment.astimezone(WIT).isoformat(timespec="seconds")


def format_decimal(value: object, places: int) -> str:
    """Format a number like 80,56 or 4.000."""
    grouped = f"{value:,.{places}f}"
    return grouped.translate({ord(","): ".", ord("."): ","})


def format_size(size: int) -> str:
    """Format a size in bytes like 612 KB, 6,4 MB or 25 MB."""
    if size < MIB:
        return f"{max(1, round(size / KIB))} KB"
    return f"{size / MIB:.1f} MB".replace(".0 MB", " MB").replace(".", ",")


def format_initials(name: str) -> str:
    """Format a person's name like NI, without the degrees after it."""
    words = [word for word in name.partition(",")[0].split() if word[0].isalpha()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()
