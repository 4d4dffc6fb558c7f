"""Events: a fact in a CloudEvents 1.0 envelope, with extensions for sequence, partition key, correlation and tracing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json, to_json

from shared.contracts.facts import Fact
from shared.contracts.registry import UnknownFact, UnreadableEvent, parse_fact

MAX_SEQUENCE = 2**63 - 1
"""The largest sequence number that every store can hold."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in its envelope. `sequence` counts 1, 2, 3 ... per (source, subject); `subject` is the request id."""

    id: str
    source: str
    subject: str
    sequence: int
    time: datetime
    fact: Fact
    correlationid: str
    causationid: str
    traceparent: str = ""

    @property
    def type(self) -> str:
        return self.fact.name if isinstance(self.fact, UnknownFact) else type(self.fact).type()


@dataclass(frozen=True, slots=True)
class EventHeader:
    """The attributes of an event that its publication needs; the fact is left undecoded."""

    type: str
    sequence: int
    time: datetime
    traceparent: str = ""


def encode_event(event: Event) -> bytes:
    """Encode an event as one line of UTF-8 JSON; equal events give equal bytes."""
    return to_json(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time.isoformat(),
            "datacontenttype": "application/json",
            "sequence": f"{event.sequence:010d}",
            "partitionkey": event.subject,
            "correlationid": event.correlationid,
            "causationid": event.causationid,
            **({"traceparent": event.traceparent} if event.traceparent else {}),
            "schemaversion": type(event.fact).schemaversion,
            "data": event.fact,
        }
    )


def decode_event(raw: bytes) -> Event:
    """Decode an event; a fact of an unknown type or of a newer schema version becomes an `UnknownFact`.

    Raises:
        UnreadableEvent: The bytes are not an event, or a known fact breaks its contract.
    """
    try:
        return _event(from_json(raw))
    except UnreadableEvent:
        raise
    except Exception as error:  # Bytes from outside may be wrong in any way; none of them may crash the consumer.
        raise UnreadableEvent(f"{type(error).__name__}: {error}") from error


def decode_header(raw: bytes) -> EventHeader:
    """Decode the header of an event.

    Raises:
        UnreadableEvent: The bytes are not an event.
    """
    try:
        attributes = from_json(raw)
        header = EventHeader(
            str(attributes["type"]),
            int(attributes["sequence"]),
            datetime.fromisoformat(attributes["time"]),
            str(attributes.get("traceparent", "")),
        )
        if not 1 <= header.sequence <= MAX_SEQUENCE:
            raise ValueError("the sequence is out of range")
        if header.time.tzinfo is None:
            raise ValueError("the time has no time zone")
        return header
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableEvent(f"{type(error).__name__}: {error}") from error


def _event(attributes: dict[str, Any]) -> Event:
    event = Event(
        id=attributes["id"],
        source=attributes["source"],
        subject=attributes["subject"],
        sequence=int(attributes["sequence"]),
        time=datetime.fromisoformat(attributes["time"]),
        fact=parse_fact(attributes["type"], int(attributes.get("schemaversion", 1)), attributes["data"]),
        correlationid=attributes.get("correlationid", ""),
        causationid=attributes.get("causationid", ""),
        traceparent=attributes.get("traceparent", ""),
    )
    texts = (event.id, event.source, event.subject, event.correlationid, event.causationid, event.traceparent)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text attribute is not a string")
    if not 0 <= event.sequence <= MAX_SEQUENCE:
        raise ValueError("the sequence is out of range")
    if event.time.tzinfo is None:
        raise ValueError("the time has no time zone")
    return event
