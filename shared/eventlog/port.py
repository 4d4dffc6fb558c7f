"""The event log as the runtime sees it: append only, in order per request, delivered at least once to every service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class LogUnavailable(Exception):
    """The log cannot be reached, or did not say whether it took an event: try again later."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it lies in the log: `key` is the request's id, `position` where it lies, `value` the raw bytes."""

    position: str
    key: str
    value: bytes


Handle = Callable[[Sequence[Record]], Awaitable[None]]


class EventLog(Protocol):
    """Contract suite: tests/contracts/test_event_log.py."""

    async def prepare(self) -> None: ...

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Append (key, value) pairs in this order and return when they are durable; a key occurs at most once.

        Raises LogUnavailable if any may be missing: the caller sends all of them again.
        """

    async def consume(self, group: str, handle: Handle, *, max_records: int = 500) -> None:
        """Hand batches to `handle` for ever, beginning after the group's committed position (the start, if it has none).

        The position is committed after `handle` returns. If it raises, the batch is handed over again later.
        """

    def read(self, after: str = "", upto: str = "") -> AsyncIterator[Sequence[Record]]:
        """Batches of the whole log after one position, up to and with another ("" is the end as of now)."""

    async def newest(self, count: int) -> Sequence[Record]:
        """The newest records, at most `count`, oldest first; found from the end, however long the log is."""

    async def of_key(self, key: str) -> Sequence[Record]:
        """Every record of this key, in order; found without reading those of all other keys."""

    async def end(self) -> str:
        """The position of the newest record, "" in an empty log."""

    async def lag(self, group: str) -> int:
        """How many records the group has still to be given."""

    async def ready(self) -> None:
        """Return if the log answers, else raise LogUnavailable."""
