"""What the ledger's screens ask: messages of all requests, newest request first, with the recipient masked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from services.notification.domain.decisions import Message, State, newest
from services.notification.domain.notification_rules import APPLICANT
from shared.mail.address import mask_address
from shared.runtime.executor import Executor, Loaded
from shared.storage.port import RecordQuery, Scalar
from shared.text.search import normalize_query

Row = dict[str, Any]
ListedMessage = tuple[Loaded[State], Message]

MAX_COUNTED_REQUESTS = 100
"""Requests whose messages are counted one by one; beyond them only that there are more is told."""


@dataclass(frozen=True, slots=True)
class MessageCursor:
    """Where a page ended: with this message, of the request that stood in the list by the time of its `newest` one."""

    newest: str
    message: str

    @property
    def request(self) -> str:
        return self.message.partition(".")[0]


async def messages(
    executor: Executor[State], *, request: str, status: str, after: MessageCursor | None, limit: int
) -> tuple[list[ListedMessage], MessageCursor | None]:
    """A page of messages, and where it ended, None if it was the last one."""
    found: list[tuple[ListedMessage, MessageCursor]] = []
    async for loaded, sort_key in _matching_requests(executor, request, status, after):
        for message in _messages_after_cursor(loaded, after):
            if status in ("", message.status):
                found.append(((loaded, message), MessageCursor(sort_key, message.id)))
        if len(found) > limit:
            break
    shown = found[:limit]
    return [one for one, _ in shown], shown[-1][1] if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class DeliveryProblems:
    """How many messages failed, and of how many nobody knows whether they arrived; `more`: at least so many."""

    failed: int = 0
    unknown: int = 0
    is_truncated: bool = False

    @property
    def count(self) -> int:
        return self.failed + self.unknown


async def trouble(executor: Executor[State]) -> DeliveryProblems:
    """What somebody may have to act on."""
    counted, is_truncated = {"failed": 0, "unknown": 0}, False
    for status in counted:
        page = await executor.find(
            RecordQuery("newest", where={status: 1}, limit=MAX_COUNTED_REQUESTS, descending=True)
        )
        counted[status] = sum(message.status == status for loaded in page.items for message in loaded.state.messages)
        is_truncated = is_truncated or page.next is not None
    return DeliveryProblems(**counted, is_truncated=is_truncated)


async def _matching_requests(
    executor: Executor[State], request: str, status: str, after: MessageCursor | None
) -> AsyncIterator[tuple[Loaded[State], str]]:
    """The requests to list, each with the time by which it stands in the list; first the one in which the last page ended.
    `request` is a number, an id, or words of number, name, unit, e-mail and lead.

    That one may have moved up since: it is gone on with all the same, and the next are those below its former place.
    """
    words = normalize_query(request)
    if words:
        only = await executor.find_one("number", words.upper()) or await executor.read(request.strip())
        if only:
            yield only, newest(only.state)
            return
    if after and (resumed := await executor.read(after.request)):
        yield resumed, after.newest
    key: tuple[Scalar, str] | None = (after.newest, after.request) if after else None
    where: dict[str, Scalar | tuple[Scalar, ...]] = {status: 1} if status else {}
    while True:
        page = await executor.find(
            RecordQuery("newest", where=where, search=words, after=key, limit=50, descending=True)
        )
        for loaded in page.items:
            yield loaded, newest(loaded.state)
        if page.next is None:
            return
        key = page.next


def _messages_after_cursor(loaded: Loaded[State], after: MessageCursor | None) -> Iterator[Message]:
    """The messages of one request, newest first; of the one in which the last page ended, those that followed there."""
    last = loaded.state.message(after.message) if after and after.request == loaded.id else None
    for message in reversed(loaded.state.messages):
        if last is None or (message.planned_at, message.id) < (last.planned_at, last.id):
            yield message


def row(loaded: Loaded[State], message: Message) -> Row:
    return {
        "id": message.id,
        "request": loaded.id,
        "number": loaded.state.number,
        "kind": message.kind,
        "recipient": recipient(loaded.state, message),
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
        return mask_address(state.applicant.email) if state.applicant else ""
    return message.to.partition(":")[2]
