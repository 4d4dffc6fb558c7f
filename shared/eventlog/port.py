"""The event log as the runtime sees it: append only, in order per request, delivered at least once to every service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


class LogUnavailable(Exception):
    """The log cannot be reached, or did not say whether it took an event: try again later.

    `appended` are the places, among the records of an `append`, of those that are durable all the same.
    """

    def __init__(self, reason: str, appended: Collection[int] = ()) -> None:
        super().__init__(reason)
        self.appended = frozenset(appended)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event as it lies in the log: `key` is the request's id, `value` the raw bytes.

    `position` is where it lies: a name for this record, and nothing that could be compared or read on from.
    """

    position: str
    key: str
    value: bytes


BatchHandler = Callable[[Sequence[LogRecord]], Awaitable[None]]


class EventLog(Protocol):
    """Contract suite: tests/adapters/test_event_log.py."""

    async def prepare(self) -> None:
        """Make what the log needs; harmless when it is there. Raises LogUnavailable; the log may be used all the same."""

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Append (key, value) pairs and return when they are durable; a key occurs at most once.

        Raises LogUnavailable if any may be missing, and says which were acknowledged: the caller sends the others again, and
        some may then be there twice.
        """

    async def consume(self, group: str, handler: BatchHandler, *, max_records: int = 500) -> None:
        """Hand batches to `handle` for ever, beginning after the group's committed position (the start, if it has none).

        The position is committed after `handle` returns. If it raises, the batch is handed over again later. A record comes at
        least once, and those of one key in their order; a crash, or another process that joins the group, may repeat some.
        """

    async def commit_offset(self, group: str, up_to: str) -> None:
        """Let the group go on after this `end`, as if all up to it had been handed over; it never goes back.

        For a group that nobody consumes for. Raises LogUnavailable, also if somebody does.
        """

    def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        """Batches of the whole log after one `end`, up to and with another ("" is the end as of now).

        Only the records of one key come in the order in which they were appended.
        """

    async def read_newest(self, count: int) -> Sequence[LogRecord]:
        """The newest records by their time of arrival, at most `count`, oldest first; found without reading the whole log."""

    async def read_key(self, key: str) -> Sequence[LogRecord]:
        """Every record of this key, in order; found without reading those of all other keys."""

    async def end(self) -> str:
        """How far the log reaches now, for `read`; "" in an empty log. An opaque text."""

    async def lag(self, group: str) -> int:
        """How many records the group has still to be given."""

    async def ready(self) -> None:
        """Return if the log answers, else raise LogUnavailable."""
