"""Facts of notification: what became of each e-mail. They name messages, never a recipient."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from shared.contracts.facts import Fact, Staff, Value


class NotificationFact(Fact):
    owner: ClassVar[str] = "notification"


class MessageOutcome(Value):
    """What the mail server made of one message. `retry_at` is the next try, None if there will be none."""

    message: str
    status: Literal["sent", "failed", "unknown"]
    reason: str = ""
    retry_at: datetime | None = None


class SendingStarted(NotificationFact):
    """These messages are about to be handed to the mail server; without a `SendingEnded` by `until` their outcome is unknown."""

    messages: tuple[str, ...]
    until: datetime


class SendingEnded(NotificationFact):
    outcomes: tuple[MessageOutcome, ...]


class ReminderFellDue(NotificationFact):
    """The day of a planned reminder came while it was still needed."""

    reminder: str


class RemindersDropped(NotificationFact):
    """These reminders are not sent: their day came too late, or a later one takes their place. `messages` were queued already."""

    reminders: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


class ResendRequested(NotificationFact):
    message: str
    by: Staff
