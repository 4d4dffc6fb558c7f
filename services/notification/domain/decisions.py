"""Notification: which letters are owed, and what became of each. Pure: state, commands and facts in, facts out."""

from __future__ import annotations

import uuid
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notification.domain.notification_rules import APPLICANT, PLANS, PlannedEmail, emails_for
from services.notification.domain.reminders import (
    Reminder,
    current_reminders,
    due_time,
    is_expired,
    is_obsolete,
    reminders_for,
)
from services.notification.domain.state import STATUSES as STATUSES
from services.notification.domain.state import Message as Message
from services.notification.domain.state import State as State
from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact, Staff
from shared.contracts.intake import RequestResubmitted, RequestSubmitted, RequestWithdrawn
from shared.contracts.lifecycle import advance
from shared.contracts.notification import (
    MessageOutcome,
    ReminderFellDue,
    RemindersDropped,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import COLUMNS_VERSION, Column, Scalar
from shared.text.search import request_search_text

SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset({*PLANS, RequestWithdrawn})

CLAIM_DURATION = timedelta(minutes=3)
"""How long a batch may be in hand; longer than the mailer's time limits add up to."""

IMMEDIATELY = datetime(2000, 1, 1, tzinfo=UTC)
"""When a queued letter is due. Not the time of its event: whose clock goes ahead would make it wait."""


@dataclass(frozen=True, slots=True)
class StartSending:
    """Take in hand every message that is due."""


@dataclass(frozen=True, slots=True)
class EndSending:
    outcomes: tuple[MessageOutcome, ...]


@dataclass(frozen=True, slots=True)
class FireReminder:
    reminder: str


@dataclass(frozen=True, slots=True)
class ResendMessage:
    message: str
    by: Staff


Command = StartSending | EndSending | FireReminder | ResendMessage


def initial() -> State:
    return State()


def decide(state: State, command: Command, now: datetime) -> list[Fact]:
    """The facts that follow. Raises Refusal: message_unknown, being_sent, superseded."""
    match command:
        case StartSending():
            return _start_sending(state, now)
        case EndSending(outcomes=outcomes):
            return _end_sending(state, outcomes)
        case FireReminder(reminder=reminder):
            return _fire_reminder(state, reminder, now)
        case ResendMessage():
            return _resend(state, command, now)


def _start_sending(state: State, now: datetime) -> list[Fact]:
    """Take what is due in hand, but for reminders that waited until they were of no use."""
    due = [message for message in state.messages if message.due and message.due <= now]
    dropped = tuple(message.id for message in due if _is_superseded(state, message, now))
    claimed = tuple(message.id for message in due if message.id not in dropped)
    facts: list[Fact] = [RemindersDropped(messages=dropped)] if dropped else []
    return [*facts, SendingStarted(messages=claimed, until=now + CLAIM_DURATION)] if claimed else facts


def _is_superseded(state: State, message: Message, now: datetime) -> bool:
    """Whether this is a reminder of what the request waits for no more, or of which a later letter reminds."""
    if not message.kind.startswith("reminder_"):
        return False

    def is_same_reminder(other: Message | Reminder) -> bool:
        return (other.kind, other.values) == (message.kind, message.values)

    if not any(map(is_same_reminder, current_reminders(state.course, state.reminders))):
        return True
    later = (other for other in state.messages if other.planned_at > message.planned_at)
    return is_expired(message.kind, message.values, now) or any(map(is_same_reminder, later))


def _fire_reminder(state: State, reminder_id: str, now: datetime) -> list[Fact]:
    open_reminders = _open_reminders(state)
    reminder = next((one for one in open_reminders if one.id == reminder_id and due_time(one) <= now), None)
    if reminder is None:
        return []
    if is_obsolete(reminder, open_reminders, now):
        return [RemindersDropped(reminders=(reminder_id,))]
    return [ReminderFellDue(reminder=reminder_id)]


def _end_sending(state: State, outcomes: tuple[MessageOutcome, ...]) -> list[Fact]:
    in_flight = {message.id for message in state.messages if message.status == "sending"}
    known = tuple(outcome for outcome in outcomes if outcome.message in in_flight)
    return [SendingEnded(outcomes=known)] if known else []


def _resend(state: State, command: ResendMessage, now: datetime) -> list[Fact]:
    message = state.message(command.message)
    if message is None:
        raise Refusal("message_unknown")
    if message.status in ("queued", "sending"):
        raise Refusal("being_sent", status=message.status)
    if _is_superseded(state, message, now):
        raise Refusal("superseded", status=message.status)
    return [ResendRequested(message=message.id, by=command.by)]


def evolve(state: State, event: Event) -> State:
    """The state after the event: letters that it calls for are queued, outcomes are written beside them."""
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
        case RemindersDropped(reminders=ids, messages=messages):
            return _drop_messages(replace(state, reminded=(*state.reminded, *ids)), messages)
        case fact:
            planned = emails_for(state.course, state.lead, state.rejected_by, fact)
            after = _apply_request_event(replace(state, course=advance(state.course, fact)), event)
            return _queue_emails(after, planned, event)


def _update_messages(state: State, ids: tuple[str, ...], change: Any) -> State:
    return replace(state, messages=tuple(change(m) if m.id in ids else m for m in state.messages))


def _drop_messages(state: State, ids: tuple[str, ...]) -> State:
    """What was never handed over is owed no more; what may have been is not tried again."""
    kept = [message for message in state.messages if message.id not in ids or message.status in ("sending", "unknown")]
    return _update_messages(replace(state, messages=tuple(kept)), ids, lambda m: replace(m, status="unknown", due=None))


def _record_outcomes(state: State, outcomes: tuple[MessageOutcome, ...], at: datetime) -> State:
    by_id = {outcome.message: outcome for outcome in outcomes}

    def with_outcome(message: Message) -> Message:
        outcome = by_id[message.id]
        return replace(message, status=outcome.status, reason=outcome.reason, due=outcome.retry_at, settled_at=at)

    return _update_messages(state, tuple(by_id), with_outcome)


def _queue_emails(state: State, planned: list[PlannedEmail], event: Event) -> State:
    messages = list(state.messages)
    for letter in planned:
        message_id = f"{event.subject}.{uuid.uuid5(uuid.UUID(event.id), f'{letter.kind}:{letter.to}').hex}"
        about = (letter.kind, letter.to, letter.values)
        message = Message(event.time, message_id, *about, due=IMMEDIATELY, traceparent=event.traceparent)
        insort(messages, message, key=lambda one: (one.planned_at, one.id))
    return replace(state, messages=tuple(messages)) if planned else state


def _apply_request_event(state: State, event: Event) -> State:
    match event.fact:
        case RequestSubmitted(number=number, scope=scope, applicant=applicant):
            return replace(state, number=number, scope=scope.value, applicant=applicant)
        case RequestResubmitted(scope=scope, applicant=applicant):
            return replace(state, scope=scope.value, applicant=applicant)
        case LeadAssigned(lead=lead) | LeadReassigned(lead=lead):
            return replace(state, lead=lead)
        case RequestRejected(by=by):
            return replace(state, rejected_by=by)
        case _:
            return replace(state, reminders=(*state.reminders, *reminders_for(event)))


def _queue_reminder(state: State, reminder_id: str, event: Event) -> State:
    reminder = next((reminder for reminder in state.reminders if reminder.id == reminder_id), None)
    state = replace(state, reminded=(*state.reminded, reminder_id))
    return _queue_emails(state, [PlannedEmail(reminder.kind, APPLICANT, reminder.values)], event) if reminder else state


def _open_reminders(state: State) -> list[Reminder]:
    """The reminders that were neither sent nor dropped, and are still about where the request stands."""
    return [one for one in current_reminders(state.course, state.reminders) if one.id not in state.reminded]


def react(state: State, event: Event) -> list[Command]:
    """Nothing by itself: messages are sent, and reminders fired, when they are due."""
    return []


def due_at(state: State) -> datetime | None:
    """When the next message or reminder is due."""
    times = [message.due for message in state.messages if message.due]
    times += [due_time(reminder) for reminder in _open_reminders(state)]
    return min(times, default=None)


def on_due(state: State, now: datetime | None = None) -> list[FireReminder]:
    """Reminders by the earliest day first, with `now` those whose day has come; messages are taken in hand by dispatch."""
    due = (r for r in sorted(_open_reminders(state), key=due_time) if now is None or due_time(r) <= now)
    return [FireReminder(r.id) for r in due]


def columns(state: State) -> Mapping[str, Scalar]:
    """What the ledger's pages find documents by: the number, words, the newest message, and which outcomes occur."""
    occurring_statuses = {message.status for message in state.messages}
    # A number that was never heard of is none, so that it can be missing twice.
    return {
        COLUMNS_VERSION: COLUMNS_VERSION_NUMBER,
        "search": request_search_text(state.number, state.applicant, lead=state.lead),
        "number": state.number or None,
        "newest": newest(state),
        **{name: int(name in occurring_statuses) for name in STATUSES},
    }


def newest(state: State) -> str:
    """When the latest letter of this request was owed."""
    return state.messages[-1].planned_at.isoformat() if state.messages else ""


COLUMNS_VERSION_NUMBER = 1
"""Raised with every change of what `columns` makes of a state; a start then derives those of stored documents again."""
INDEXED_COLUMNS = (
    Column("number", unique=True),
    Column("newest"),
    Column("search"),
    Column(COLUMNS_VERSION, "integer"),
    *(Column(name, "integer", ordered_by="newest") for name in STATUSES),
)


def decider() -> Decider[State]:
    return Decider(
        service="notification",
        state_type=State,
        initial=initial,
        decide=decide,
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=columns,
        due_at=due_at,
        on_due=on_due,
        status=lambda state: state.course.status.value,
        number=lambda state: state.number,
    )
