"""The records of the log that concern one service, read as far as it may take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from shared.contracts.envelope import Event
from shared.contracts.registry import UnreadableEvent
from shared.eventlog.port import LogRecord
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import WorkingCopy
from shared.runtime.envelope_peek import published_by
from shared.runtime.event_decoding import (
    Decode,
    SkippedEvent,
    decode_cached,
    decode_for,
    peek_source,
    peek_source_and_sequence,
)


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """A record that concerns this service, read if it could be."""

    record: LogRecord
    event: Event | SkippedEvent | None
    failure: str = ""


class EventReader:
    """Reads records for a service; `read` understands the events of this version of the program."""

    def __init__(self, decider: Decider[Any]) -> None:
        self.sources, self.types = decider.sources, decider.types
        self.read: Decode = decode_cached

    def listen(self, record: LogRecord) -> IncomingEvent | None:
        """The record, None if it is from a service that this one does not follow.

        What is no JSON concerns every service, whatever its head says: nobody can tell which documents it names, and only a
        parked event can be discarded.
        """
        publisher = published_by(record.value)
        if publisher and publisher not in self.sources and _is_json(record.value):
            return None
        try:
            event = decode_for(record.value, self.types, self.read)
        except UnreadableEvent as error:
            source = peek_source(record.value)
            return IncomingEvent(record, None, str(error)) if source is None or source in self.sources else None
        return IncomingEvent(record, event) if event.source in self.sources else None


def _is_json(raw: bytes) -> bool:
    try:
        from_json(raw)
    except ValueError:
        return False
    return True


def is_duplicate(working_copy: WorkingCopy[Any], record: LogRecord) -> bool:
    """Whether an unreadable record was folded or discarded before, and comes again."""
    place = peek_source_and_sequence(record.value)
    return place is not None and place[1] <= working_copy.seen.get(place[0], 0)
