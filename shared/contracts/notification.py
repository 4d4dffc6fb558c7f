"""Facts of notification: reminders, and emails that are sent again. They hold ids of messages, never an address."""

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
    """These messages were about to be sent. Only in old logs: the delivery of emails is not in the log any more."""

    messages: tuple[str, ...]
    until: datetime


class SendingEnded(NotificationFact):
    """The outcomes of messages that were being sent. Only in old logs."""

    outcomes: tuple[MessageOutcome, ...]


class ReminderFellDue(NotificationFact):
    """A planned reminder became due and is still needed."""

    reminder: str


class RemindersDropped(NotificationFact):
    """These reminders are obsolete and are not sent; `messages` of them were queued already.

    `kept` of these may have been sent and stay in the ledger; events of older versions do not say which.
    """

    reminders: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    kept: tuple[str, ...] | None = None


class ResendRequested(NotificationFact):
    message: str
    by: Staff
