"""Log records as events: what a service subscribes to, what it skips, and what it cannot read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from shared.contracts.envelope import MAX_SEQUENCE, Event, decode_event
from shared.contracts.registry import UnknownFact, UnreadableEvent
from shared.eventlog.port import LogRecord
from shared.runtime.decider import Decider

NEWER_VERSION_REASON = (
    "kejadian ini ditulis oleh versi program yang lebih baru; diproses dengan sendirinya setelah pembaruan"
)

Decode = Callable[[bytes], Event]


@lru_cache(maxsize=4_000)
def decode_cached(raw: bytes) -> Event:
    """Decode an event, cached because all services of one process read the same records."""
    return decode_event(raw)


class NewerVersion(UnreadableEvent):
    """A known event type in a schema version that this program does not know yet."""

    def __init__(self) -> None:
        super().__init__(NEWER_VERSION_REASON)


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """An unreadable event of a type that the service does not subscribe to: its sequence counts, its content does not."""

    source: str
    sequence: int


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """A log record for one service; `event` is None if it cannot be read, and `failure` says why."""

    record: LogRecord
    event: Event | SkippedEvent | None
    failure: str = ""


class EventReader:
    """Decodes the log records of the sources that one service subscribes to."""

    def __init__(self, decider: Decider[Any]) -> None:
        self.sources, self.types = decider.sources, decider.types
        self.decode: Decode = decode_cached

    def read(self, record: LogRecord) -> IncomingEvent | None:
        """Return the event of a record, or None if the service does not subscribe to its source.

        Bytes without a readable source go to every service: nobody knows which documents they name, and an event must be
        parked before it can be discarded.
        """
        try:
            event = decode_for(record.value, self.types, self.decode)
        except UnreadableEvent as error:
            source = _peek_text(record.value, "source")
            return IncomingEvent(record, None, str(error)) if source is None or source in self.sources else None
        return IncomingEvent(record, event) if event.source in self.sources else None


def decode_for(raw: bytes, types: Collection[str], decode: Decode = decode_cached) -> Event | SkippedEvent:
    """Decode an event for a service that subscribes to these types.

    Raises:
        UnreadableEvent: The event may not be skipped: it is of one of these types and of a newer version (`NewerVersion`)
            or in breach of its contract, or its type is unknown.
    """
    try:
        event = decode(raw)
    except UnreadableEvent:
        position, event_type = peek_position(raw), _peek_text(raw, "type")
        if position is None or event_type is None or event_type in types:
            raise
        return SkippedEvent(*position)
    if isinstance(event.fact, UnknownFact) and event.type in types:
        raise NewerVersion
    return event


def peek_position(raw: bytes) -> tuple[str, int] | None:
    """Return the source and sequence of an event whose fact may be unreadable, or None if they are not valid."""
    try:
        attributes = from_json(raw)
        source, sequence = attributes["source"], int(attributes["sequence"])
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return None
    return (source, sequence) if isinstance(source, str) and 0 <= sequence <= MAX_SEQUENCE else None


def _peek_text(raw: bytes, attribute: str) -> str | None:
    try:
        value = from_json(raw)[attribute]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None
