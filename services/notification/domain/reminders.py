"""Reminders: for which days they are planned, and until when each still matters. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from services.notification.domain.notification_rules import Values
from shared.calendar import WIT, end_of_day
from shared.contracts.assignment import WorkCompleted, WorkPaused
from shared.contracts.envelope import Event
from shared.contracts.lifecycle import Lifecycle, Status
from shared.contracts.verification import RequestReturned

REMINDER_TIME = time(8, 0, tzinfo=WIT)

LAST_DAY_FIELD: Mapping[str, str] = {"reminder_return": "respond_by", "reminder_confirm": "confirm_by"}
"""The value with the last day to act, of reminders after which time decides: the request expires, or is taken as accepted."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A letter for a day to come, sent if the request still stands where it stood: `count` is the round, pause or delivery."""

    id: str
    kind: str
    on: date
    count: int
    values: Values


def reminders_for(event: Event) -> list[Reminder]:
    """The reminders that the event calls for."""
    match event.fact:
        case RequestReturned(round=count, respond_by=by, remind_on=days):
            kind, values = "reminder_return", {"respond_by": by.isoformat()}
        case WorkCompleted(delivery=count, confirm_by=by, remind_on=days):
            kind, values = "reminder_confirm", {"confirm_by": by.isoformat()}
        case WorkPaused(pause=count, answer_by=by, question=question):
            kind, values, days = "reminder_answer", {"answer_by": by.isoformat(), "question": question}, (by,)
        case _:
            return []
    return [Reminder(f"{kind}:{count}:{day.isoformat()}", kind, day, count, values) for day in days]


def due_time(reminder: Reminder) -> datetime:
    return datetime.combine(reminder.on, REMINDER_TIME)


def current_reminders(course: Lifecycle, reminders: Iterable[Reminder]) -> list[Reminder]:
    """Those that are about where the request stands."""
    wanted = {
        Status.RETURNED: ("reminder_return", course.round),
        Status.DELIVERED: ("reminder_confirm", course.delivery),
        Status.ON_HOLD: ("reminder_answer", course.pause),
    }.get(course.status)
    return [reminder for reminder in reminders if (reminder.kind, reminder.count) == wanted]


def is_expired(kind: str, values: Values, now: datetime) -> bool:
    """Whether the last day of which this reminder tells has passed, so that time decides, or has decided."""
    last_day = LAST_DAY_FIELD.get(kind)
    return last_day is not None and now > end_of_day(date.fromisoformat(values[last_day]))


def is_obsolete(reminder: Reminder, open_reminders: Iterable[Reminder], now: datetime) -> bool:
    """Whether its last day has passed, or the day of a later one has come, which is sent in its place."""
    later = any(one.on > reminder.on and due_time(one) <= now for one in open_reminders)
    return later or is_expired(reminder.kind, reminder.values, now)
