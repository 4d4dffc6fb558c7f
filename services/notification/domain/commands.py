"""Commands of the email dispatcher and of administrators."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.facts import Staff
from shared.contracts.notification import MessageOutcome


@dataclass(frozen=True, slots=True)
class StartSending:
    """Claim every message that is due."""


@dataclass(frozen=True, slots=True)
class EndSending:
    """Record the outcomes of claimed messages."""

    outcomes: tuple[MessageOutcome, ...]


@dataclass(frozen=True, slots=True)
class FireReminder:
    """Queue the email of a reminder whose day has come."""

    reminder: str


@dataclass(frozen=True, slots=True)
class ResendMessage:
    """Queue a message again that was sent, failed, or whose outcome is unknown."""

    message: str
    by: Staff


Command = StartSending | EndSending | FireReminder | ResendMessage
