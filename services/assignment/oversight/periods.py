"""Periods of oversight: days for reports, whole months for figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from shared.calendar import WIT
from shared.web.views.formats import MONTHS, format_date


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        """The first moment in Halmahera Timur, in UTC."""
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first moment after the period."""
        return _midnight(self.last + timedelta(days=1))

    @property
    def whole_months(self) -> Period:
        """The months of these days."""
        return Period(self.first.replace(day=1), month_of(self.last).last)

    @property
    def label(self) -> str:
        """`2026`, `November 2026`, `Juli 2026 sampai September 2026` or `1 Juli 2026 sampai 30 September 2026`."""
        if self == year_of(self.first):
            return str(self.first.year)
        if self == month_of(self.first):
            return _month_name(self.first)
        if self.first.day == 1 and self.last == month_of(self.last).last:
            return f"{_month_name(self.first)} sampai {_month_name(self.last)}"
        return f"{format_date(self.first)} sampai {format_date(self.last)}"


def _month_name(day: date) -> str:
    return f"{MONTHS[day.month - 1]} {day.year}"


def year_of(day: date) -> Period:
    return Period(date(day.year, 1, 1), date(day.year, 12, 31))


def month_of(day: date) -> Period:
    return Period(day.replace(day=1), next_month(day) - timedelta(days=1))


def next_month(day: date) -> date:
    """Return the first day of the month after that of this day."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def months_back(day: date, count: int) -> date:
    """Return the first day of the month `count` months before that of this day."""
    index = day.year * 12 + day.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def months_between(first: date, last: date) -> Iterator[str]:
    """Yield each month from that of `first` to that of `last`, like 2026-11."""
    month = first.replace(day=1)
    while month <= last:
        yield f"{month:%Y-%m}"
        month = next_month(month)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, WIT).astimezone(UTC)
