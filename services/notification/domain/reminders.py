"""Reminders: the days they are planned for, and when they become obsolete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from pydantic import ValidationInfo, field_validator

from services.notification.domain.applicant_emails import (
    AnswerReminderEmail,
    ConfirmReminderEmail,
    ReminderEmail,
    ReturnReminderEmail,
)
from services.notification.domain.emails import Parameters, parse_parameters
from shared.calendar import WIT, end_of_day
from shared.contracts.assignment import WorkCompleted, WorkPaused
from shared.contracts.envelope import Event
from shared.contracts.lifecycle import Lifecycle, Status
from shared.contracts.verification import RequestReturned

REMINDER_TIME = time(8, 0, tzinfo=WIT)


@dataclass(frozen=True, slots=True)
class Reminder:
    """An email for a later day, sent if the request is still in the same state; `count` is its round, pause or delivery."""

    id: str
    kind: str
    on: date
    count: int
    values: Parameters

    @field_validator("values", mode="before")
    @classmethod
    def _parse_values(cls, values: object, info: ValidationInfo) -> Parameters:
        return parse_parameters(info.data["kind"], values)


def reminders_for(event: Event) -> list[Reminder]:
    """Return the reminders that an event calls for."""
    parameters: ReminderEmail
    match event.fact:
        case RequestReturned(round=count, respond_by=respond_by, remind_on=days):
            parameters = ReturnReminderEmail(respond_by)
        case WorkCompleted(delivery=count, confirm_by=confirm_by, remind_on=days):
            parameters = ConfirmReminderEmail(confirm_by)
        case WorkPaused(pause=count, answer_by=answer_by, question=question):
            parameters, days = AnswerReminderEmail(answer_by, question), (answer_by,)
        case _:
            return []
    kind = parameters.kind
    return [Reminder(f"{kind}:{count}:{day.isoformat()}", kind, day, count, parameters) for day in days]


def due_time(reminder: Reminder) -> datetime:
    return datetime.combine(reminder.on, REMINDER_TIME)


def current_reminders(lifecycle: Lifecycle, reminders: Iterable[Reminder]) -> list[Reminder]:
    """Return the reminders of what the request waits for now."""
    current = {
        Status.RETURNED: (ReturnReminderEmail.kind, lifecycle.round),
        Status.DELIVERED: (ConfirmReminderEmail.kind, lifecycle.delivery),
        Status.ON_HOLD: (AnswerReminderEmail.kind, lifecycle.pause),
    }.get(lifecycle.status)
    return [reminder for reminder in reminders if (reminder.kind, reminder.count) == current]


def last_day(parameters: Parameters) -> date | None:
    """Return the last day to act, after which the request expires or is confirmed automatically; None if there is none."""
    match parameters:
        case ReturnReminderEmail(respond_by=day) | ConfirmReminderEmail(confirm_by=day):
            return day
    return None


def is_expired(parameters: Parameters, now: datetime) -> bool:
    """Return whether the last day to act has passed."""
    day = last_day(parameters)
    return day is not None and now > end_of_day(day)


def is_obsolete(reminder: Reminder, open_reminders: Iterable[Reminder], now: datetime) -> bool:
    """Return whether its last day has passed, or a later reminder is due and is sent in its place."""
    later = any(other.on > reminder.on and due_time(other) <= now for other in open_reminders)
    return later or is_expired(reminder.values, now)
