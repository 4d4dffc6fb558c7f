"""Commands of the email dispatcher and of administrators."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.facts import Staff
from shared.contracts.notification import MessageOutcome


@dataclass(frozen=True, slots=True)
class StartSending:
    """Claim every message that is due, under a new id; the same claim again changes nothing."""

    claim: str


@dataclass(frozen=True, slots=True)
class EndSending:
    """Record the outcomes of the messages of a claim."""

    claim: str
    outcomes: tuple[MessageOutcome, ...]


@dataclass(frozen=True, slots=True)
class RecordInterruption:
    """Record that the process that was sending the claimed messages has ended without their outcomes."""


DeliveryCommand = StartSending | EndSending | RecordInterruption
"""Commands that change the delivery of messages, and of which the log contains nothing."""


@dataclass(frozen=True, slots=True)
class FireReminder:
    """Queue the email of a reminder whose day has come."""

    reminder: str


@dataclass(frozen=True, slots=True)
class DropReminders:
    """Drop the queued reminders that are superseded."""


@dataclass(frozen=True, slots=True)
class ResendMessage:
    """Queue a message again that was sent, failed, or whose outcome is unknown."""

    message: str
    by: Staff


Command = FireReminder | DropReminders | ResendMessage
