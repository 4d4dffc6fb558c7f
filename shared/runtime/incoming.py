"""The records of the log that concern one service, read as far as it may take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from shared.contracts.envelope import Event
from shared.contracts.registry import Unreadable
from shared.eventlog.port import Record
from shared.runtime.decider import Decider
from shared.runtime.folding import Draft
from shared.runtime.heads import published_by
from shared.runtime.reading import Read, Skipped, place_of, read_cached, source_of, understood


@dataclass(frozen=True, slots=True)
class Heard:
    """A record that concerns this service, read if it could be."""

    record: Record
    event: Event | Skipped | None
    trouble: str = ""


class Incoming:
    """Reads records for a service; `read` understands the events of this version of the program."""

    def __init__(self, decider: Decider[Any]):
        self.sources, self.types = decider.sources, decider.types
        self.read: Read = read_cached

    def listen(self, record: Record) -> Heard | None:
        """The record, None if it is from a service that this one does not follow.

        What is no JSON concerns every service, whatever its head says: nobody can tell which documents it names, and only a
        parked event can be discarded.
        """
        publisher = published_by(record.value)
        if publisher and publisher not in self.sources and _is_json(record.value):
            return None
        try:
            event = understood(record.value, self.types, self.read)
        except Unreadable as error:
            source = source_of(record.value)
            return Heard(record, None, str(error)) if source is None or source in self.sources else None
        return Heard(record, event) if event.source in self.sources else None


def _is_json(raw: bytes) -> bool:
    try:
        from_json(raw)
    except ValueError:
        return False
    return True


def was_seen(draft: Draft[Any], record: Record) -> bool:
    """Whether an unreadable record was folded or discarded before, and comes again."""
    place = place_of(record.value)
    return place is not None and place[1] <= draft.seen.get(place[0], 0)
