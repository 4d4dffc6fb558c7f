"""What the ledger's screens ask: messages of all requests, newest request first, with the recipient masked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.notification.domain import Message, State
from services.notification.planning import APPLICANT
from shared.mail.address import masked
from shared.runtime.execution import Executor, Kept
from shared.storage.port import Find, Scalar

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: after `skip` messages of the request that follows this key."""

    key: tuple[Scalar, str] | None = None
    skip: int = 0


async def messages(
    executor: Executor[State], *, request: str, status: str, after: Place, limit: int, now: datetime
) -> tuple[list[Row], Place | None]:
    """A page of messages, and where the next one begins, None at the end."""
    if request:
        kept = await executor.find_one("number", request.upper()) or await executor.read(request)
        return (rows(kept, status, now), None) if kept else ([], None)
    where: dict[str, Scalar | tuple[Scalar, ...]] = {status: 1} if status else {}
    found: list[tuple[Row, Place]] = []
    key, skip = after.key, after.skip
    while len(found) <= limit:
        page = await executor.find(Find("newest", where=where, after=key, limit=50, descending=True))
        for kept in page.items:
            for index, row in enumerate(rows(kept, status, now)):
                if index >= skip:
                    found.append((row, Place(key, index + 1)))
            key, skip = (kept.state.messages[-1].planned_at.isoformat(), kept.id), 0
        if page.next is None:
            break
    page_rows = [row for row, _ in found[:limit]]
    return page_rows, found[limit - 1][1] if len(found) > limit else None


def rows(kept: Kept[State], status: str, now: datetime) -> list[Row]:
    """The messages of one request, newest first."""
    every = (row(kept, message, now) for message in reversed(kept.state.messages))
    return [one for one in every if status in ("", one["status"])]


def row(kept: Kept[State], message: Message, now: datetime) -> Row:
    return {
        "id": message.id,
        "request": kept.id,
        "number": kept.state.number,
        "kind": message.kind,
        "recipient": recipient(kept.state, message),
        "status": message.status,
        "reason": message.reason,
        "tries": message.tries,
        "planned_at": message.planned_at.isoformat(),
        "settled_at": message.settled_at.isoformat() if message.settled_at else None,
        "retry_at": message.due.isoformat() if message.due and message.status in ("failed", "unknown") else None,
    }


def recipient(state: State, message: Message) -> str:
    """Who it is for: an applicant's address with most of it hidden, a role, or a username."""
    if message.to == APPLICANT:
        return masked(state.applicant.email) if state.applicant else ""
    return message.to.partition(":")[2]
