"""The envelope of a fact: CloudEvents 1.0 in JSON with the extensions sequence, partitionkey, correlation and tracing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json, to_json

from shared.contracts.facts import Fact
from shared.contracts.registry import UnknownFact, UnreadableEvent, parse_fact

MAX_SEQUENCE = 2**63 - 1
"""What every store can hold."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with its envelope. `sequence` counts 1, 2, 3 ... per (source, subject); `subject` is the request's id."""

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


def encode_event(event: Event) -> bytes:
    """The event as one line of UTF-8 JSON, the same bytes for the same event."""
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
    """The event in these bytes; a type never seen before becomes an UnknownFact.

    Raises Unreadable if the bytes are no event of ours, or a known one that does not fit its contract.
    """
    try:
        attributes: dict[str, Any] = from_json(raw)
        return _event(attributes)
    except UnreadableEvent:
        raise
    except (
        Exception
    ) as error:  # Whatever is wrong with bytes that came from elsewhere, the consumer must not meet them again.
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
        raise TypeError("an attribute that must be text is none")
    if not 0 <= event.sequence <= MAX_SEQUENCE:
        raise ValueError("the sequence is out of range")
    if event.time.tzinfo is None:
        raise ValueError("the time has no zone")
    return event
