"""What the ledger's screens ask: messages of all requests, newest request first, with the recipient masked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from services.notification.domain import Message, State, newest
from services.notification.planning import APPLICANT
from shared.mail.address import masked
from shared.runtime.execution import Executor, Kept
from shared.search_text import query_words
from shared.storage.port import Find, Scalar

Row = dict[str, Any]
Listed = tuple[Kept[State], Message]

LOOKED_THROUGH = 100
"""Requests whose messages are counted one by one; beyond them only that there are more is told."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: with this message, of the request that stood in the list by the time of its `newest` one."""

    newest: str
    message: str

    @property
    def request(self) -> str:
        return self.message.partition(".")[0]


async def messages(
    executor: Executor[State], *, request: str, status: str, after: Place | None, limit: int
) -> tuple[list[Listed], Place | None]:
    """A page of messages, and where it ended, None if it was the last one."""
    found: list[tuple[Listed, Place]] = []
    async for kept, listed_by in _ledgers(executor, request, status, after):
        for message in _older(kept, after):
            if status in ("", message.status):
                found.append(((kept, message), Place(listed_by, message.id)))
        if len(found) > limit:
            break
    shown = found[:limit]
    return [one for one, _ in shown], shown[-1][1] if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class Trouble:
    """How many messages failed, and of how many nobody knows whether they arrived; `more`: at least so many."""

    failed: int = 0
    unknown: int = 0
    more: bool = False

    @property
    def count(self) -> int:
        return self.failed + self.unknown


async def trouble(executor: Executor[State]) -> Trouble:
    """What somebody may have to act on."""
    counted, more = {"failed": 0, "unknown": 0}, False
    for status in counted:
        page = await executor.find(Find("newest", where={status: 1}, limit=LOOKED_THROUGH, descending=True))
        counted[status] = sum(message.status == status for kept in page.items for message in kept.state.messages)
        more = more or page.next is not None
    return Trouble(**counted, more=more)


async def _ledgers(
    executor: Executor[State], request: str, status: str, after: Place | None
) -> AsyncIterator[tuple[Kept[State], str]]:
    """The requests to list, each with the time by which it stands in the list; first the one in which the last page ended.
    `request` is a number, an id, or words of number, name, unit, e-mail and lead.

    That one may have moved up since: it is gone on with all the same, and the next are those below its former place.
    """
    words = query_words(request)
    if words:
        only = await executor.find_one("number", words.upper()) or await executor.read(request.strip())
        if only:
            yield only, newest(only.state)
            return
    if after and (begun := await executor.read(after.request)):
        yield begun, after.newest
    key: tuple[Scalar, str] | None = (after.newest, after.request) if after else None
    where: dict[str, Scalar | tuple[Scalar, ...]] = {status: 1} if status else {}
    while True:
        page = await executor.find(Find("newest", where=where, search=words, after=key, limit=50, descending=True))
        for kept in page.items:
            yield kept, newest(kept.state)
        if page.next is None:
            return
        key = page.next


def _older(kept: Kept[State], after: Place | None) -> Iterator[Message]:
    """The messages of one request, newest first; of the one in which the last page ended, those that followed there."""
    last = kept.state.message(after.message) if after and after.request == kept.id else None
    for message in reversed(kept.state.messages):
        if last is None or (message.planned_at, message.id) < (last.planned_at, last.id):
            yield message


def row(kept: Kept[State], message: Message) -> Row:
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
