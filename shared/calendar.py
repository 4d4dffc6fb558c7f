"""Working days and the civil date in Halmahera Timur."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from holidays import country_holidays

WIT = ZoneInfo("Asia/Jayapura")

Overrides = Mapping[date, str | None]
"""Holidays that a decree added (with their name) or removed (None)."""

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Monday to Friday without holidays; an override replaces a holiday but never makes a weekend a working day."""

    holidays: Mapping[date, str]
    overrides: Overrides = field(default_factory=dict)
    _working_by_ordinal: dict[int, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def holiday(self, day: date) -> str | None:
        """Return the name of the holiday, None if it is not one."""
        return self.overrides[day] if day in self.overrides else self.holidays.get(day)

    def is_working_day(self, day: date) -> bool:
        return self._is_working(day.toordinal())

    def add_working_days(self, day: date, count: int) -> date:
        """Return the last of `count` working days after `day`; for 0, `day` itself."""
        if count < 0:
            raise ValueError("working days are counted forward")
        ordinal = day.toordinal()
        while count:
            ordinal += 1
            count -= self._is_working(ordinal)
        return date.fromordinal(ordinal)

    def working_day_from(self, day: date) -> date:
        """Return the day itself if it is a working day, else the next one."""
        return day if self.is_working_day(day) else self.add_working_days(day, 1)

    def working_day_until(self, day: date) -> date:
        """Return the day itself if it is a working day, else the one before."""
        while not self.is_working_day(day):
            day -= _DAY
        return day

    def working_days_between(self, start: date, end: date) -> int:
        """Count the working days after `start` up to and including `end`; negative if `end` is earlier."""
        if end < start:
            return -self.working_days_between(end, start)
        return sum(map(self._is_working, range(start.toordinal() + 1, end.toordinal() + 1)))

    def earliest_day_within(self, count: int, day: date) -> date:
        """Return the earliest day that is at most so many working days before this one."""
        earliest = day
        while self.working_days_between(earliest - _DAY, day) <= count:
            earliest -= _DAY
        return earliest

    def _is_working(self, ordinal: int) -> bool:
        """Whether the day with this ordinal is a working day; cached, because figures ask for the same days very often."""
        if (known := self._working_by_ordinal.get(ordinal)) is None:
            day = date.fromordinal(ordinal)
            known = self._working_by_ordinal[ordinal] = day.weekday() < _SATURDAY and self.holiday(day) is None
        return known


def official_calendar(overrides: Overrides | None = None) -> WorkingCalendar:
    """Return the calendar with the national holidays and cuti bersama of Indonesia; years are loaded on demand."""
    holidays = country_holidays("ID", categories=("public", "government"), language="id")
    return WorkingCalendar(holidays, overrides or {})


def parse_overrides(text: str) -> dict[date, str | None]:
    """Parse `{"2028-04-24": "Cuti Bersama Idulfitri", "2028-12-26": null}`: a name adds a day off, null removes one.

    Raises:
        ValueError: The table is malformed; the message names the key.
    """
    table = json.loads(text)
    if not isinstance(table, dict):
        raise ValueError("the override table is not a JSON object of days")
    return {_day(key): _name(key, name) for key, name in table.items()}


def today(at: datetime) -> date:
    """Return the date in Halmahera Timur at this time."""
    if at.tzinfo is None:
        raise ValueError("the time needs a time zone")
    return at.astimezone(WIT).date()


def start_of_day(day: date) -> datetime:
    """Return the first moment of this date in Halmahera Timur, in UTC."""
    return datetime.combine(day, time.min, WIT).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return the last moment of this date in Halmahera Timur, in UTC."""
    return datetime.combine(day, time.max, WIT).astimezone(UTC)


def _day(key: str) -> date:
    try:
        return date.fromisoformat(key)
    except ValueError as error:
        raise ValueError(f"{key!r} in the override table is not a day such as 2028-04-24") from error


def _name(key: str, name: object) -> str | None:
    if name is None or (isinstance(name, str) and name.strip()):
        return name
    raise ValueError(f"{key!r} in the override table needs a name, or null to make it a working day")
