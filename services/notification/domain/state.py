"""The state of notification: the messages of a request with their delivery, and its reminders."""

from __future__ import annotations

import uuid
from bisect import insort
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import ValidationInfo, field_validator

from services.notification.domain.emails import Parameters, parse_parameters
from services.notification.domain.notification_rules import APPLICANT, PlannedEmail, emails_for
from services.notification.domain.reminders import Reminder, current_reminders, reminders_for
from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, Staff
from shared.contracts.intake import (
    ContactChanged,
    ContactChangeRequested,
    RequestCorrected,
    RequestResubmitted,
    RequestSubmitted,
)
from shared.contracts.lifecycle import Lifecycle, advance
from shared.contracts.notification import (
    MessageOutcome,
    ReminderFellDue,
    RemindersDropped,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from shared.fast_replace import replace

MessageStatus = Literal["queued", "sending", "sent", "failed", "unknown"]
STATUSES: tuple[MessageStatus, ...] = ("queued", "sending", "sent", "failed", "unknown")

IMMEDIATELY = datetime(2000, 1, 1, tzinfo=UTC)
"""The due time of a queued message; that of its event would delay it if the clock of the publisher is ahead."""


@dataclass(frozen=True)
class Message:
    """An email of the ledger; its id starts with the request's, `traceparent` is that of its event.

    The fields from `status` to `claim` are its delivery, which is not in the log. `due` is the time of the next attempt, while
    sending the end of the claim, None if nothing is left to do. `claim` is set while sending; `tries` counts attempts since the
    message was queued.
    """

    planned_at: datetime
    id: str
    kind: str
    to: str
    values: Parameters
    status: MessageStatus = "queued"
    tries: int = 0
    reason: str = ""
    due: datetime | None = None
    settled_at: datetime | None = None
    claim: str = ""
    traceparent: str = ""

    @field_validator("values", mode="before")
    @classmethod
    def _parse_values(cls, values: object, info: ValidationInfo) -> Parameters:
        return parse_parameters(info.data["kind"], values)


@dataclass(frozen=True)
class State:
    """`reminded` contains the ids of reminders that were sent or dropped; `new_contact` is requested and not yet in effect."""

    number: str = ""
    scope: str = ""
    applicant: Applicant | None = None
    new_contact: Applicant | None = None
    course: Lifecycle = field(default_factory=Lifecycle)
    lead: Staff | None = None
    rejected_by: Staff | None = None
    messages: tuple[Message, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    reminded: tuple[str, ...] = ()

    def message(self, message_id: str) -> Message | None:
        return next((message for message in self.messages if message.id == message_id), None)


def evolve(state: State, event: Event) -> State:
    """Return the state after an event: emails that it calls for are queued. Only old logs contain the outcomes of sending."""
    match event.fact:
        case SendingStarted(messages=ids, until=until):
            claim = event.causationid
            return _update_messages(
                state, ids, lambda m: replace(m, status="sending", tries=m.tries + 1, due=until, claim=claim)
            )
        case SendingEnded(outcomes=outcomes):
            return _record_outcomes(state, outcomes, event.time)
        case ResendRequested(message=message_id):
            return _update_messages(
                state, (message_id,), lambda m: replace(m, status="queued", tries=0, due=IMMEDIATELY)
            )
        case ReminderFellDue(reminder=reminder_id):
            return _queue_reminder(state, reminder_id, event)
        case RemindersDropped(reminders=ids, messages=messages, kept=kept):
            return _drop_messages(replace(state, reminded=(*state.reminded, *ids)), messages, kept)
        case fact:
            planned = emails_for(state.course, state.lead, state.rejected_by, fact)
            after = _apply_request_event(replace(state, course=advance(state.course, fact)), event)
            return _queue_emails(after, planned, event)


def open_reminders(state: State) -> list[Reminder]:
    """Return the reminders that were neither sent nor dropped and still concern the state of the request."""
    return [
        reminder for reminder in current_reminders(state.course, state.reminders) if reminder.id not in state.reminded
    ]


def newest(state: State) -> str:
    """Return the time at which the latest message of the request was planned, "" if it has none."""
    return state.messages[-1].planned_at.isoformat() if state.messages else ""


def _update_messages(state: State, ids: Collection[str], change: Callable[[Message], Message]) -> State:
    return replace(
        state, messages=tuple(change(message) if message.id in ids else message for message in state.messages)
    )


def _drop_messages(state: State, ids: Collection[str], kept: Collection[str] | None) -> State:
    """Remove messages that were never sent; of others the outcome stays unknown, and they are not retried.

    Events of older versions do not say which ones are kept; the outcomes are in the log before them.
    """
    if kept is None:
        kept = [message.id for message in state.messages if message.status in ("sending", "unknown")]
    left = [message for message in state.messages if message.id not in ids or message.id in kept]
    return _update_messages(replace(state, messages=tuple(left)), ids, lambda m: replace(m, status="unknown", due=None))


def _record_outcomes(state: State, outcomes: tuple[MessageOutcome, ...], at: datetime) -> State:
    by_id = {outcome.message: outcome for outcome in outcomes}

    def with_outcome(message: Message) -> Message:
        outcome = by_id[message.id]
        return replace(message, status=outcome.status, reason=outcome.reason, due=outcome.retry_at, settled_at=at)

    return _update_messages(state, by_id, with_outcome)


def _queue_emails(state: State, planned: list[PlannedEmail], event: Event) -> State:
    if not planned:
        return state
    messages, namespace = list(state.messages), uuid.UUID(event.id)
    for email in planned:
        kind = email.parameters.kind
        message_id = f"{event.subject}.{uuid.uuid5(namespace, f'{kind}:{email.to}').hex}"
        content = (kind, email.to, email.parameters)
        message = Message(event.time, message_id, *content, due=IMMEDIATELY, traceparent=event.traceparent)
        insort(messages, message, key=lambda queued: (queued.planned_at, queued.id))
    return replace(state, messages=tuple(messages))


def _apply_request_event(state: State, event: Event) -> State:
    match event.fact:
        case RequestSubmitted(number=number, scope=scope, applicant=applicant):
            return replace(state, number=number, scope=scope.value, applicant=applicant)
        case RequestResubmitted(scope=scope, applicant=applicant) | RequestCorrected(scope=scope, applicant=applicant):
            return replace(state, scope=scope.value, applicant=applicant)
        case ContactChangeRequested(applicant=applicant):
            return replace(state, new_contact=applicant)
        case ContactChanged(applicant=applicant):
            return replace(state, applicant=applicant)
        case LeadAssigned(lead=lead) | LeadReassigned(lead=lead):
            return replace(state, lead=lead)
        case RequestRejected(by=by):
            return replace(state, rejected_by=by)
        case _:
            return replace(state, reminders=(*state.reminders, *reminders_for(event)))


def _queue_reminder(state: State, reminder_id: str, event: Event) -> State:
    reminder = next((reminder for reminder in state.reminders if reminder.id == reminder_id), None)
    state = replace(state, reminded=(*state.reminded, reminder_id))
    return _queue_emails(state, [PlannedEmail(APPLICANT, reminder.values)], event) if reminder else state
