"""The event log as the runtime sees it: append-only, ordered per request, delivered at least once to every service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.facts import Fact
from shared.contracts.registry import FACTS


class LogUnavailable(Exception):
    """The log cannot be reached, or did not confirm that it stored an event; the call may be retried.

    `appended` are the indexes, among the records of an `append`, of those that were acknowledged all the same.
    """

    def __init__(self, reason: str, appended: Collection[int] = ()) -> None:
        super().__init__(reason)
        self.appended = frozenset(appended)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event as it is stored: `key` is the id of its request, `value` the raw bytes.

    `position` identifies the record. Positions cannot be compared, and reading cannot start from one.
    """

    position: str
    key: str
    value: bytes


BatchHandler = Callable[[Sequence[LogRecord]], Awaitable[None]]


class EventLog(Protocol):
    """Contract suite: tests/adapters/test_event_log.py."""

    async def prepare(self) -> None:
        """Create what the log needs; harmless if it exists. Raises LogUnavailable, after which the log may be used all the same."""

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Append (key, value) pairs and return when they are durable; each key occurs at most once.

        Raises LogUnavailable if any record may be missing, with those that were acknowledged. The caller appends the others
        again, which may store some of them twice.
        """

    async def consume(
        self, group: str, handler: BatchHandler, *, events: Collection[type[Fact]] = FACTS, max_records: int = 500
    ) -> None:
        """Pass batches to the handler until cancelled, starting after the group's committed position (at first, the start).

        The position is committed after the handler returns. If it raises, the batch is passed to it again later. Each record is
        delivered at least once, and those of a key in order; after a crash or a rebalance some are delivered again.
        `events` are the types that the group subscribes to. They describe the subscription and filter nothing: only a service
        that receives every record of a source can notice that one is missing.
        """

    async def commit_offset(self, group: str, up_to: str) -> None:
        """Let a group that has no consumer continue after this `end`, unless it has come further.

        Raises LogUnavailable, also if the group has a consumer.
        """

    def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        """Yield batches of the records after one `end`, up to and including another ("" is the current end).

        Only the records of one key are in the order in which they were appended.
        """

    async def read_newest(self, count: int) -> Sequence[LogRecord]:
        """Return the `count` newest records by time of arrival, oldest first, without reading the whole log."""

    async def read_key(self, key: str) -> Sequence[LogRecord]:
        """Return all records of a key in order, without reading those of all other keys."""

    async def end(self) -> str:
        """Return the current end of the log for `read`, an opaque text; "" if the log is empty."""

    async def position(self, group: str) -> str:
        """Return the `end` up to which records have been delivered to the group, "" if none have."""

    async def lag(self, group: str) -> int:
        """Return how many records have not been delivered to the group yet."""

    async def ready(self) -> None:
        """Return if the log answers, else raise LogUnavailable."""
