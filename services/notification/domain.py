"""Notification: which letters are owed, and what became of each. Pure: state, commands and facts in, facts out."""

from __future__ import annotations

import uuid
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from services.notification.planning import APPLICANT, PLANS, Planned, Values, letters_for
from shared.calendar import WIT
from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected, WorkCompleted, WorkPaused
from shared.contracts.course import Course, Status, follow
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, Fact, Staff
from shared.contracts.intake import RequestResubmitted, RequestSubmitted, RequestWithdrawn
from shared.contracts.notification import (
    MessageOutcome,
    ReminderFellDue,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from shared.contracts.verification import RequestReturned
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import Column, Scalar

HEARS: frozenset[type[Fact]] = frozenset({*PLANS, RequestWithdrawn})

MessageStatus = Literal["queued", "sending", "sent", "failed", "unknown"]
STATUSES: tuple[MessageStatus, ...] = ("queued", "sending", "sent", "failed", "unknown")

REMINDED_AT = time(8, 0, tzinfo=WIT)
CLAIM = timedelta(minutes=3)
"""How long a batch may be in hand; longer than the mailer's time limits add up to."""

AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)
"""When a queued letter is due. Not the time of its event: whose clock goes ahead would make it wait."""


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
class Reminder:
    """A letter for a day to come, sent if the request still stands where it stood: `count` is the round, pause or delivery."""

    id: str
    kind: str
    on: date
    count: int
    values: Values


@dataclass(frozen=True, slots=True)
class State:
    number: str = ""
    scope: str = ""
    applicant: Applicant | None = None
    course: Course = field(default_factory=Course)
    lead: Staff | None = None
    rejected_by: Staff | None = None
    messages: tuple[Message, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    reminded: tuple[str, ...] = ()

    def message(self, message_id: str) -> Message | None:
        return next((message for message in self.messages if message.id == message_id), None)


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
            due = tuple(message.id for message in state.messages if message.due and message.due <= now)
            return [SendingStarted(messages=due, until=now + CLAIM)] if due else []
        case EndSending(outcomes=outcomes):
            return _end(state, outcomes)
        case FireReminder(reminder=reminder):
            open_ones = {r.id for r in _open_reminders(state) if _falls_due(r) <= now}
            return [ReminderFellDue(reminder=reminder)] if reminder in open_ones else []
        case ResendMessage():
            return _resend(state, command)


def _end(state: State, outcomes: tuple[MessageOutcome, ...]) -> list[Fact]:
    in_hand = {message.id for message in state.messages if message.status == "sending"}
    known = tuple(outcome for outcome in outcomes if outcome.message in in_hand)
    return [SendingEnded(outcomes=known)] if known else []


def _resend(state: State, command: ResendMessage) -> list[Fact]:
    message = state.message(command.message)
    if message is None:
        raise Refusal("message_unknown")
    if message.status in ("queued", "sending"):
        raise Refusal("being_sent", status=message.status)
    return [ResendRequested(message=message.id, by=command.by)]


def evolve(state: State, event: Event) -> State:
    """The state after the event: letters that it calls for are queued, outcomes are written beside them."""
    match event.fact:
        case SendingStarted(messages=ids, until=until):
            claim = event.causationid
            return _change(
                state, ids, lambda m: replace(m, status="sending", tries=m.tries + 1, due=until, claim=claim)
            )
        case SendingEnded(outcomes=outcomes):
            return _settle(state, outcomes, event.time)
        case ResendRequested(message=message_id):
            return _change(state, (message_id,), lambda m: replace(m, status="queued", tries=0, due=AT_ONCE))
        case ReminderFellDue(reminder=reminder_id):
            return _remind(state, reminder_id, event)
        case fact:
            planned = letters_for(state.course, state.lead, state.rejected_by, fact)
            after = _learn(replace(state, course=follow(state.course, fact)), event)
            return _queue(after, planned, event)


def _change(state: State, ids: tuple[str, ...], change: Any) -> State:
    return replace(state, messages=tuple(change(m) if m.id in ids else m for m in state.messages))


def _settle(state: State, outcomes: tuple[MessageOutcome, ...], at: datetime) -> State:
    by_id = {outcome.message: outcome for outcome in outcomes}

    def settled(message: Message) -> Message:
        outcome = by_id[message.id]
        return replace(message, status=outcome.status, reason=outcome.reason, due=outcome.retry_at, settled_at=at)

    return _change(state, tuple(by_id), settled)


def _queue(state: State, planned: list[Planned], event: Event) -> State:
    messages = list(state.messages)
    for letter in planned:
        message_id = f"{event.subject}.{uuid.uuid5(uuid.UUID(event.id), f'{letter.kind}:{letter.to}').hex}"
        about = (letter.kind, letter.to, letter.values)
        message = Message(event.time, message_id, *about, due=AT_ONCE, traceparent=event.traceparent)
        insort(messages, message, key=lambda one: (one.planned_at, one.id))
    return replace(state, messages=tuple(messages)) if planned else state


def _learn(state: State, event: Event) -> State:
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
            return replace(state, reminders=(*state.reminders, *_reminders(event)))


def _reminders(event: Event) -> list[Reminder]:
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


def _remind(state: State, reminder_id: str, event: Event) -> State:
    reminder = next((reminder for reminder in state.reminders if reminder.id == reminder_id), None)
    state = replace(state, reminded=(*state.reminded, reminder_id))
    return _queue(state, [Planned(reminder.kind, APPLICANT, reminder.values)], event) if reminder else state


def _open_reminders(state: State) -> list[Reminder]:
    """The reminders that were not sent, and are still about where the request stands."""
    course = state.course
    wanted = {
        Status.RETURNED: ("reminder_return", course.round),
        Status.DELIVERED: ("reminder_confirm", course.delivery),
        Status.ON_HOLD: ("reminder_answer", course.pause),
    }.get(course.status)
    return [r for r in state.reminders if (r.kind, r.count) == wanted and r.id not in state.reminded]


def _falls_due(reminder: Reminder) -> datetime:
    return datetime.combine(reminder.on, REMINDED_AT)


def react(state: State, event: Event) -> list[Command]:
    """Nothing by itself: messages are sent, and reminders fired, when they are due."""
    return []


def due_at(state: State) -> datetime | None:
    """When the next message or reminder is due."""
    times = [message.due for message in state.messages if message.due]
    times += [_falls_due(reminder) for reminder in _open_reminders(state)]
    return min(times, default=None)


def on_due(state: State, now: datetime | None = None) -> list[FireReminder]:
    """Reminders by the earliest day first, with `now` those whose day has come; messages are taken in hand by dispatch."""
    due = (r for r in sorted(_open_reminders(state), key=_falls_due) if now is None or _falls_due(r) <= now)
    return [FireReminder(r.id) for r in due]


def columns(state: State) -> Mapping[str, Scalar]:
    """What the ledger's pages find documents by: the number, the newest message, and which outcomes occur."""
    occurring = {message.status for message in state.messages}
    # A number that was never heard of is none, so that it can be missing twice.
    return {
        "number": state.number or None,
        "newest": newest(state),
        **{name: int(name in occurring) for name in STATUSES},
    }


def newest(state: State) -> str:
    """When the latest letter of this request was owed."""
    return state.messages[-1].planned_at.isoformat() if state.messages else ""


INDEXED = (
    Column("number", unique=True),
    Column("newest"),
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
        hears=HEARS,
        indexed=INDEXED,
        columns=columns,
        due_at=due_at,
        on_due=on_due,
        status=lambda state: state.course.status.value,
        number=lambda state: state.number,
    )
