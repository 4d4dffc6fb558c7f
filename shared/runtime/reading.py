"""Records of the log as events, and what can be said of one that cannot be read."""

from __future__ import annotations

from pydantic_core import from_json

from shared.contracts.envelope import Event, from_bytes

_CACHED_EVENTS = 4_000
_read: dict[bytes, Event] = {}


def read_cached(raw: bytes) -> Event:
    """As from_bytes; in one process all services read the same record, so the last ones are kept."""
    event = _read.get(raw)
    if event is None:
        event = from_bytes(raw)
        if len(_read) >= _CACHED_EVENTS:
            _read.clear()
        _read[raw] = event
    return event


def source_of(raw: bytes) -> str | None:
    """Who published these bytes, None if even that cannot be read."""
    place = place_of(raw)
    return place[0] if place else None


def place_of(raw: bytes) -> tuple[str, int] | None:
    """The source and sequence in an envelope whose fact may be unreadable."""
    try:
        attributes = from_json(raw)
        return str(attributes["source"]), int(attributes["sequence"])
    except (ValueError, KeyError, TypeError):
        return None
