"""Messages of the ledger as responses and as rows of the list; recipients are masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from services.notification.domain.notification_rules import APPLICANT, NEW_CONTACT
from services.notification.domain.state import Message, State
from services.notification.errors import WORDS
from shared.mail.address import mask_address
from shared.runtime.executor import Loaded
from shared.web.views.labels import ROLE_LABELS

RETRIED_STATUSES = ("failed", "unknown")
PENDING_STATUSES = ("queued", "sending")


class MessageRow(TypedDict):
    """A row of the list. `version` changes with everything that is shown."""

    id: str
    request: str
    version: str
    number: str
    kind: str
    recipient: str
    status: str
    reason: str
    tries: int
    planned_at: datetime
    retry_at: datetime | None
    resendable: bool


def message_response(loaded: Loaded[State], message: Message) -> dict[str, Any]:
    retry_at = _retry_at(message)
    return {
        "id": message.id,
        "request": loaded.id,
        "number": loaded.state.number,
        "kind": message.kind,
        "recipient": _masked_recipient(loaded.state, message),
        "status": message.status,
        "reason": message.reason,
        "tries": message.tries,
        "planned_at": message.planned_at.isoformat(),
        "settled_at": message.settled_at.isoformat() if message.settled_at else None,
        "retry_at": retry_at.isoformat() if retry_at else None,
    }


def message_row(loaded: Loaded[State], message: Message) -> MessageRow:
    settled = message.settled_at.isoformat() if message.settled_at else ""
    return {
        "id": message.id,
        "request": loaded.id,
        "version": f"{message.status} {message.tries} {settled}",
        "number": loaded.state.number,
        "kind": WORDS.kinds.get(message.kind, message.kind),
        "recipient": _recipient_label(loaded.state, message),
        "status": message.status,
        "reason": message.reason if message.status in RETRIED_STATUSES else "",
        "tries": message.tries,
        "planned_at": message.planned_at,
        "retry_at": _retry_at(message),
        "resendable": message.status not in PENDING_STATUSES,
    }


def _retry_at(message: Message) -> datetime | None:
    return message.due if message.status in RETRIED_STATUSES else None


def _masked_recipient(state: State, message: Message) -> str:
    """Return the applicant's masked address, a role, or a username."""
    if message.to == APPLICANT:
        return mask_address(state.applicant.email) if state.applicant else ""
    if message.to == NEW_CONTACT:
        return mask_address(state.new_contact.email) if state.new_contact else ""
    return message.to.partition(":")[2]


def _recipient_label(state: State, message: Message) -> str:
    recipient = _masked_recipient(state, message)
    if message.to in (APPLICANT, NEW_CONTACT):
        return recipient
    if message.to.startswith("role:"):
        return str(WORDS.recipients.role).format(role=ROLE_LABELS.get(recipient, recipient))
    return str(WORDS.recipients.staff).format(username=recipient)
