"""The history of a request: its events in the order of their times."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from shared.contracts.envelope import Event
from shared.contracts.facts import Fact, Staff
from shared.contracts.verification import RequestClaimed, RequestReturned

NOTE_FIELDS = ("reason", "note", "question", "text", "summary")
"""The fields of facts that hold a message to other people."""


@dataclass(frozen=True, slots=True, order=True)
class HistoryEntry:
    """An event in the history; `by` is the name of the staff member who acted, "" for the applicant or the system."""

    time: datetime
    source: str
    sequence: int
    event: str
    by: str = ""
    note: str = ""


def add_to_history(history: tuple[HistoryEntry, ...], event: Event) -> tuple[HistoryEntry, ...]:
    """Return the history with this event at its place, whatever the order in which events of different services arrive."""
    entry = HistoryEntry(
        event.time, event.source, event.sequence, event.type, actor_name(event.fact), note_text(event.fact)
    )
    if not history or history[-1] < entry:
        return (*history, entry)
    entries = list(history)
    insort(entries, entry)
    return tuple(entries)


def actor_name(fact: Fact) -> str:
    """Return the name of the staff member who acted, "" if none did."""
    by = getattr(fact, "by") if _has_actor(type(fact)) else None  # noqa: B009
    return by.name if isinstance(by, Staff) else ""


def note_text(fact: Fact) -> str:
    """Return the message that the fact carries, "" if there is none."""
    if isinstance(fact, RequestReturned):
        return "\n".join(verdict.note for verdict in fact.verdicts if not verdict.ok)
    if isinstance(fact, RequestClaimed):
        return fact.officer.name if fact.officer.username != fact.by.username else ""
    for name in _note_fields(type(fact)):
        if text := getattr(fact, name):
            return str(text)
    return ""


@cache
def _has_actor(kind: type[Fact]) -> bool:
    return "by" in kind.model_fields


@cache
def _note_fields(kind: type[Fact]) -> tuple[str, ...]:
    return tuple(name for name in NOTE_FIELDS if name in kind.model_fields)
