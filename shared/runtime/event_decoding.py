"""Records of the log as events, as a service may take them, and what can be said of one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic_core import from_json

from shared.contracts.envelope import MAX_SEQUENCE, Event, decode_event
from shared.contracts.registry import UnknownFact, UnreadableEvent

NEWER_VERSION_REASON = (
    "kejadian ini ditulis oleh versi program yang lebih baru; diproses dengan sendirinya setelah pembaruan"
)

Decode = Callable[[bytes], Event]

MAX_CACHED_EVENTS = 4_000
_read: dict[bytes, Event] = {}


def decode_cached(raw: bytes) -> Event:
    """As from_bytes; in one process all services read the same record, so the last ones are kept."""
    event = _read.get(raw)
    if event is None:
        event = decode_event(raw)
        if len(_read) >= MAX_CACHED_EVENTS:
            _read.clear()
        _read[raw] = event
    return event


class NewerVersion(UnreadableEvent):
    """An event of a known type in a version that this program does not know yet."""

    def __init__(self) -> None:
        super().__init__(NEWER_VERSION_REASON)


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """An event that cannot be read, of a type that the service does not subscribe to: it counts, and changes nothing."""

    source: str
    sequence: int


def decode_for(raw: bytes, types: Collection[str], read: Decode = decode_cached) -> Event | SkippedEvent:
    """The event, as a service takes it that subscribes to these types.

    Raises Unreadable for one that it may not pass by: of one of these types in a newer version (NewerVersion) or in breach of
    its contract, or of a type that cannot be told.
    """
    try:
        event = read(raw)
    except UnreadableEvent:
        place, kind = peek_source_and_sequence(raw), peek_type(raw)
        if place is None or kind is None or kind in types:
            raise
        return SkippedEvent(*place)
    if isinstance(event.fact, UnknownFact) and event.type in types:
        raise NewerVersion
    return event


def peek_type(raw: bytes) -> str | None:
    """The name of the fact in an envelope whose fact may be unreadable."""
    try:
        kind = from_json(raw)["type"]
    except (ValueError, KeyError, TypeError):
        return None
    return kind if isinstance(kind, str) else None


def peek_source(raw: bytes) -> str | None:
    """Who published these bytes, None if even that cannot be read."""
    place = peek_source_and_sequence(raw)
    return place[0] if place else None


def peek_source_and_sequence(raw: bytes) -> tuple[str, int] | None:
    """The source and sequence in an envelope whose fact may be unreadable, None unless a service can count with them."""
    try:
        attributes = from_json(raw)
        source, sequence = attributes["source"], int(attributes["sequence"])
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return None
    return (source, sequence) if isinstance(source, str) and 0 <= sequence <= MAX_SEQUENCE else None
