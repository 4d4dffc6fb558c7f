"""Decisions of notification: which reminders are fired or dropped, and which messages are queued again."""

from __future__ import annotations

from datetime import datetime

from services.notification.domain.commands import Command, DropReminders, FireReminder, ResendMessage
from services.notification.domain.delivery import is_superseded, superseded_messages
from services.notification.domain.reminders import due_time, is_obsolete
from services.notification.domain.state import State, open_reminders
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.notification import ReminderFellDue, RemindersDropped, ResendRequested
from shared.runtime.decider import Refusal


def decide(state: State, command: Command, now: datetime) -> list[Fact]:
    """Return the facts that follow from a command. Raises Refusal: message_unknown, being_sent, superseded."""
    match command:
        case FireReminder(reminder=reminder):
            return _fire_reminder(state, reminder, now)
        case DropReminders():
            return _drop_reminders(state, now)
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


def _fire_reminder(state: State, reminder_id: str, now: datetime) -> list[Fact]:
    reminders = open_reminders(state)
    due = (planned for planned in reminders if planned.id == reminder_id and due_time(planned) <= now)
    reminder = next(due, None)
    if reminder is None:
        return []
    if is_obsolete(reminder, reminders, now):
        return [RemindersDropped(reminders=(reminder_id,))]
    return [ReminderFellDue(reminder=reminder_id)]


def _drop_reminders(state: State, now: datetime) -> list[Fact]:
    superseded = superseded_messages(state, now)
    kept = tuple(message.id for message in superseded if message.status in ("sending", "unknown"))
    return [RemindersDropped(messages=tuple(message.id for message in superseded), kept=kept)] if superseded else []


def _resend(state: State, command: ResendMessage, now: datetime) -> list[Fact]:
    message = state.message(command.message)
    if message is None:
        raise Refusal("message_unknown")
    if message.status in ("queued", "sending"):
        raise Refusal("being_sent", status=message.status)
    if is_superseded(state, message, now):
        raise Refusal("superseded", status=message.status)
    return [ResendRequested(message=message.id, by=command.by)]
