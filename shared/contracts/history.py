"""What happened to a request, in the order of its times, as every service keeps it for its screens."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from shared.contracts.envelope import Event
from shared.contracts.facts import Fact, Staff
from shared.contracts.verification import RequestReturned

NOTE_FIELDS = ("reason", "note", "question", "text", "summary")
"""The fields of facts in which somebody wrote to others. A model that lacks a field is slow to say so."""


@dataclass(frozen=True, slots=True, order=True)
class HistoryEntry:
    """One line of the history. `by` is the name of the member of staff who acted, "" for the applicant or the system itself."""

    time: datetime
    source: str
    sequence: int
    event: str
    by: str = ""
    note: str = ""


def add_to_history(history: tuple[HistoryEntry, ...], event: Event) -> tuple[HistoryEntry, ...]:
    """The history with this event in its place: the same whatever the order in which events of different services came."""
    entry = HistoryEntry(
        event.time, event.source, event.sequence, event.type, actor_name(event.fact), note_text(event.fact)
    )
    if not history or history[-1] < entry:
        return (*history, entry)
    entries = list(history)
    insort(entries, entry)
    return tuple(entries)


def actor_name(fact: Fact) -> str:
    """The name of the member of staff who acted, if one did."""
    by = getattr(fact, "by") if _has_actor(type(fact)) else None  # noqa: B009
    return by.name if isinstance(by, Staff) else ""


def note_text(fact: Fact) -> str:
    """The words that somebody wrote with this fact, if it carries any."""
    if isinstance(fact, RequestReturned):
        return "\n".join(verdict.note for verdict in fact.verdicts if not verdict.ok)
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
