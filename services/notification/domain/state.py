"""What notification keeps of a request: the letters that are owed, what became of each, and the reminders to come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.notification.domain.notification_rules import Values
from services.notification.domain.reminders import Reminder
from shared.contracts.facts import Applicant, Staff
from shared.contracts.lifecycle import Lifecycle

MessageStatus = Literal["queued", "sending", "sent", "failed", "unknown"]
STATUSES: tuple[MessageStatus, ...] = ("queued", "sending", "sent", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Message:
    """One letter that is owed; its id begins with the request's.

    `due` is when to try (again), while sending when the claim ends, None when there is nothing to do. `claim` is the command
    that took it in hand last; `tries` are counted since it was last asked for. `traceparent` is where its event was made.
    """

    planned_at: datetime
    id: str
    kind: str
    to: str
    values: Values
    status: MessageStatus = "queued"
    tries: int = 0
    reason: str = ""
    due: datetime | None = None
    settled_at: datetime | None = None
    claim: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class State:
    number: str = ""
    scope: str = ""
    applicant: Applicant | None = None
    course: Lifecycle = field(default_factory=Lifecycle)
    lead: Staff | None = None
    rejected_by: Staff | None = None
    messages: tuple[Message, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    reminded: tuple[str, ...] = ()

    def message(self, message_id: str) -> Message | None:
        return next((message for message in self.messages if message.id == message_id), None)
