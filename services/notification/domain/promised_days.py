"""The dates in emails: a target or deadline on a day off is moved to a working day."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

from services.notification.domain.emails import Parameters, UnknownEmail
from shared.calendar import WorkingCalendar

OFFICE_DATES = frozenset({"target_date", "previous"})
"""Days by which the office acts; all others are the last days on which the recipient can act."""


def promise_working_days(parameters: Parameters, calendar: WorkingCalendar) -> Parameters:
    """Return the parameters with days off replaced: targets by the next working day, deadlines by the one before."""
    if isinstance(parameters, UnknownEmail):
        return parameters
    days = {field.name: getattr(parameters, field.name) for field in fields(parameters)}
    promised: dict[str, Any] = {
        name: calendar.working_day_from(day) if name in OFFICE_DATES else calendar.working_day_until(day)
        for name, day in days.items()
        if isinstance(day, date)
    }
    return replace(parameters, **promised) if promised else parameters
