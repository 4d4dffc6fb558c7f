"""The delivery of messages: claims and outcomes, kept in the record and not in the log, and carried over to a new fold."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from services.notification.domain.commands import DeliveryCommand, EndSending, RecordInterruption, StartSending
from services.notification.domain.reminders import Reminder, current_reminders, is_expired
from services.notification.domain.state import Message, State

CLAIM_DURATION = timedelta(minutes=3)
"""How long claimed messages belong to one process; longer than the timeouts of the mailer add up to."""
INTERRUPTION_DELAY = timedelta(seconds=1)
INTERRUPTION_REASON = "Proses berhenti saat surel ini sedang dikirim."
LOST_DELIVERY_REASON = "Catatan pengiriman surel ini hilang; mungkin sudah terkirim."


def record(state: State, command: DeliveryCommand, now: datetime) -> State:
    """Return the state after a command of the dispatcher; only the delivery of messages differs."""
    match command:
        case StartSending(claim=claim):
            return _claim(state, claim, now)
        case EndSending(claim=claim, outcomes=outcomes):
            by_id = {outcome.message: outcome for outcome in outcomes}

            def with_outcome(message: Message) -> Message:
                outcome = by_id[message.id]
                status, reason, due = outcome.status, outcome.reason, outcome.retry_at
                return replace(message, status=status, reason=reason, due=due, settled_at=now, claim="")

            ended = [message.id for message in claimed_messages(state, claim) if message.id in by_id]
            return _update(state, ended, with_outcome)
        case RecordInterruption():
            sending = [message.id for message in state.messages if message.status == "sending"]
            return _update(state, sending, lambda message: _interrupted(message, now))


def due_messages(state: State, now: datetime) -> list[Message]:
    """Return the messages that are to be sent now; superseded reminders are not among them."""
    return [message for message in _due(state, now) if not is_superseded(state, message, now)]


def superseded_messages(state: State, now: datetime) -> list[Message]:
    """Return the reminders that are due and are not sent any more."""
    return [message for message in _due(state, now) if is_superseded(state, message, now)]


def claimed_messages(state: State, claim: str) -> list[Message]:
    """Return the messages that are being sent under this claim."""
    return [message for message in state.messages if message.status == "sending" and message.claim == claim]


def is_superseded(state: State, message: Message, now: datetime) -> bool:
    """Return whether this is a reminder of something the request no longer waits for, or a later one was planned."""
    if not message.kind.startswith("reminder_"):
        return False

    def is_same_reminder(other: Message | Reminder) -> bool:
        return (other.kind, other.values) == (message.kind, message.values)

    if not any(map(is_same_reminder, current_reminders(state.course, state.reminders))):
        return True
    later = (other for other in state.messages if other.planned_at > message.planned_at)
    return is_expired(message.values, now) or any(map(is_same_reminder, later))


def carry_over(folded: State, stored: State | None, is_behind: bool) -> State:
    """Return the folded state with the deliveries of the stored one, by message id.

    A message without a delivery is not sent: its outcome is unknown unless an old event says that it is settled. With `is_behind`
    the stored state lacks events of the folded one; messages that only the folded one has are then queued.
    """
    known = {message.id: message for message in stored.messages} if stored else {}

    def with_delivery(message: Message) -> Message:
        delivery = known.get(message.id)
        if delivery is None and is_behind:
            return message
        return (
            _delivered_like(message, delivery) if delivery and _is_consistent(delivery) else _without_delivery(message)
        )

    return replace(folded, messages=tuple(map(with_delivery, folded.messages)))


def _claim(state: State, claim: str, now: datetime) -> State:
    if claimed_messages(state, claim):
        return state
    due, until = [message.id for message in due_messages(state, now)], now + CLAIM_DURATION
    return _update(state, due, lambda m: replace(m, status="sending", tries=m.tries + 1, due=until, claim=claim))


def _due(state: State, now: datetime) -> list[Message]:
    return [message for message in state.messages if message.due and message.due <= now]


def _interrupted(message: Message, now: datetime) -> Message:
    due = now + INTERRUPTION_DELAY
    return replace(message, status="unknown", reason=INTERRUPTION_REASON, due=due, settled_at=now, claim="")


def _delivered_like(message: Message, other: Message) -> Message:
    return replace(
        message,
        status=other.status,
        tries=other.tries,
        reason=other.reason,
        due=other.due,
        settled_at=other.settled_at,
        claim=other.claim,
    )


def _without_delivery(message: Message) -> Message:
    if message.due is None:
        return message
    return replace(message, status="unknown", reason=LOST_DELIVERY_REASON, due=None, claim="")


def _is_consistent(message: Message) -> bool:
    """Return whether the parts of a delivery agree, so that it can be believed."""
    match message.status:
        case "queued":
            return message.due is not None and message.tries == 0
        case "sending":
            return message.due is not None and message.tries > 0
        case "sent":
            return message.due is None and message.settled_at is not None
        case "failed":
            return message.reason != "" and message.settled_at is not None
        case "unknown":
            return True


def _update(state: State, ids: Collection[str], change: Callable[[Message], Message]) -> State:
    if not ids:
        return state
    return replace(
        state, messages=tuple(change(message) if message.id in ids else message for message in state.messages)
    )
