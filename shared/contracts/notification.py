"""Facts of notification: the delivery of each email. They hold ids of messages, never an address."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from shared.contracts.facts import Fact, Staff, Value


class NotificationFact(Fact):
    owner: ClassVar[str] = "notification"


class MessageOutcome(Value):
    """The outcome of sending one message; `retry_at` is the time of the next attempt, None if there will be none."""

    message: str
    status: Literal["sent", "failed", "unknown"]
    reason: str = ""
    retry_at: datetime | None = None


class SendingStarted(NotificationFact):
    """These messages are about to be sent; without a `SendingEnded` by `until`, their outcome is unknown."""

    messages: tuple[str, ...]
    until: datetime


class SendingEnded(NotificationFact):
    outcomes: tuple[MessageOutcome, ...]


class ReminderFellDue(NotificationFact):
    """A planned reminder became due and is still needed."""

    reminder: str


class RemindersDropped(NotificationFact):
    """These reminders are obsolete and are not sent; `messages` of them were queued already."""

    reminders: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


class ResendRequested(NotificationFact):
    message: str
    by: Staff
