"""Decisions of notification: which messages are sent, and which reminders are fired or dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.notification.domain.commands import Command, EndSending, FireReminder, ResendMessage, StartSending
from services.notification.domain.reminders import Reminder, current_reminders, due_time, is_expired, is_obsolete
from services.notification.domain.state import Message, State, open_reminders
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.notification import (
    MessageOutcome,
    ReminderFellDue,
    RemindersDropped,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from shared.runtime.decider import Refusal

CLAIM_DURATION = timedelta(minutes=3)
"""How long claimed messages belong to one process; longer than the timeouts of the mailer add up to."""


def decide(state: State, command: Command, now: datetime) -> list[Fact]:
    """Return the facts that follow from a command. Raises Refusal: message_unknown, being_sent, superseded."""
    match command:
        case StartSending():
            return _start_sending(state, now)
        case EndSending(outcomes=outcomes):
            return _end_sending(state, outcomes)
        case FireReminder(reminder=reminder):
            return _fire_reminder(state, reminder, now)
        case ResendMessage():
            return _resend(state, command, now)


def react(_state: State, _event: Event) -> list[Command]:
    """Return no commands: messages are sent, and reminders fired, when they are due."""
    return []


def due_at(state: State) -> datetime | None:
    """Return when the next message or reminder is due."""
    times = [message.due for message in state.messages if message.due]
    times += [due_time(reminder) for reminder in open_reminders(state)]
    return min(times, default=None)


def on_due(state: State, now: datetime | None = None) -> list[FireReminder]:
    """Return commands for the open reminders by day, with `now` only for those that are due.

    Messages that are due are claimed by the email dispatcher.
    """
    reminders = sorted(open_reminders(state), key=due_time)
    return [FireReminder(reminder.id) for reminder in reminders if now is None or due_time(reminder) <= now]


def _start_sending(state: State, now: datetime) -> list[Fact]:
    """Claim what is due, and drop reminders that are superseded."""
    due = [message for message in state.messages if message.due and message.due <= now]
    dropped = tuple(message.id for message in due if _is_superseded(state, message, now))
    claimed = tuple(message.id for message in due if message.id not in dropped)
    facts: list[Fact] = [RemindersDropped(messages=dropped)] if dropped else []
    return [*facts, SendingStarted(messages=claimed, until=now + CLAIM_DURATION)] if claimed else facts


def _is_superseded(state: State, message: Message, now: datetime) -> bool:
    """Return whether this is a reminder of something the request no longer waits for, or a later one was planned."""
    if not message.kind.startswith("reminder_"):
        return False

    def is_same_reminder(other: Message | Reminder) -> bool:
        return (other.kind, other.values) == (message.kind, message.values)

    if not any(map(is_same_reminder, current_reminders(state.course, state.reminders))):
        return True
    later = (other for other in state.messages if other.planned_at > message.planned_at)
    return is_expired(message.values, now) or any(map(is_same_reminder, later))


def _fire_reminder(state: State, reminder_id: str, now: datetime) -> list[Fact]:
    reminders = open_reminders(state)
    reminder = next((one for one in reminders if one.id == reminder_id and due_time(one) <= now), None)
    if reminder is None:
        return []
    if is_obsolete(reminder, reminders, now):
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
