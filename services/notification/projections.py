"""The read side of notification: columns, their indexes, and the queries of the message list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from services.notification.domain.state import STATUSES, Message, State, newest
from shared.runtime.executor import Executor, Loaded
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery, Scalar, Subset
from shared.text.search import normalize_query, request_search_text

INDEXED_COLUMNS = (
    Column("number", unique=True),
    Column("newest"),
    Column("search"),
    Column(COLUMNS_VERSION, "integer"),
    *(Column(name, "integer", indexed=False, subsets=(Subset(("newest",)),)) for name in STATUSES),
)
COLUMNS_VERSION_NUMBER = 1
"""Increase when `columns` derives other values; the next start then updates stored records."""

PAGE_SIZE = 50
MAX_COUNTED_REQUESTS = 100
"""Requests whose messages are counted; of further ones the page says only that there are more."""

ListedMessage = tuple[Loaded[State], Message]


def columns(state: State) -> Mapping[str, Scalar]:
    """Return the columns of a record: besides number, words and newest message, 1 for each status that occurs."""
    occurring_statuses = {message.status for message in state.messages}
    return {
        COLUMNS_VERSION: COLUMNS_VERSION_NUMBER,
        "search": request_search_text(state.number, state.applicant, lead=state.lead),
        # The column is unique, and a request whose submission has not arrived yet has no number.
        "number": state.number or None,
        "newest": newest(state),
        **{name: int(name in occurring_statuses) for name in STATUSES},
    }


@dataclass(frozen=True, slots=True)
class MessageCursor:
    """The last message of a page; `newest` is the value by which its request was listed."""

    newest: str
    message: str

    @property
    def request(self) -> str:
        return self.message.partition(".")[0]


async def list_messages(
    executor: Executor[State], *, request: str, status: str, after: MessageCursor | None, limit: int
) -> tuple[list[ListedMessage], MessageCursor | None]:
    """Return a page of messages and its cursor, which is None for the last page.

    `request` is a number, an id, or words of number, name, unit, email and lead.
    """
    found: list[tuple[ListedMessage, MessageCursor]] = []
    async for loaded, listed_by in _matching_requests(executor, request, status, after):
        for message in _messages_after(loaded, after):
            if status in ("", message.status):
                found.append(((loaded, message), MessageCursor(listed_by, message.id)))
        if len(found) > limit:
            break
    page = found[:limit]
    return [listed for listed, _ in page], page[-1][1] if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class DeliveryProblems:
    """Numbers of messages that failed, or whose outcome is unknown; `more` if these are lower bounds."""

    failed: int = 0
    unknown: int = 0
    more: bool = False

    @property
    def count(self) -> int:
        return self.failed + self.unknown


async def count_delivery_problems(executor: Executor[State]) -> DeliveryProblems:
    """Count the messages that may need attention."""
    counts, more = {"failed": 0, "unknown": 0}, False
    for status in counts:
        query = RecordQuery("newest", where={status: 1}, limit=MAX_COUNTED_REQUESTS, descending=True)
        page = await executor.find(query)
        counts[status] = sum(message.status == status for loaded in page.items for message in loaded.state.messages)
        more = more or page.next is not None
    return DeliveryProblems(**counts, more=more)


async def _matching_requests(
    executor: Executor[State], request: str, status: str, after: MessageCursor | None
) -> AsyncIterator[tuple[Loaded[State], str]]:
    """Yield the requests of a list, each with its value of `newest`, starting with the one in which the last page ended.

    That one may have moved up since; its messages are continued nevertheless, followed by the requests below its former place.
    """
    words = normalize_query(request)
    if words:
        exact = await executor.find_one("number", words.upper()) or await executor.read(request.strip())
        if exact:
            yield exact, newest(exact.state)
            return
    if after and (resumed := await executor.read(after.request)):
        yield resumed, after.newest
    key: tuple[Scalar, str] | None = (after.newest, after.request) if after else None
    where: dict[str, Scalar | tuple[Scalar, ...]] = {status: 1} if status else {}
    query = RecordQuery("newest", where=where, search=words, after=key, limit=PAGE_SIZE, descending=True)
    async for loaded in executor.find_all(query):
        yield loaded, newest(loaded.state)


def _messages_after(loaded: Loaded[State], after: MessageCursor | None) -> Iterator[Message]:
    """Yield the messages of a request, newest first; of the request in which the last page ended, only the later ones."""
    last = loaded.state.message(after.message) if after and after.request == loaded.id else None
    for message in reversed(loaded.state.messages):
        if last is None or (message.planned_at, message.id) < (last.planned_at, last.id):
            yield message
