"""What happened to a request, in the order of its times, as every service keeps it for its screens."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.verification import RequestReturned


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line of the history. `by` is the name of the member of staff who acted, "" for the applicant or the system itself."""

    time: datetime
    source: str
    sequence: int
    event: str
    by: str = ""
    note: str = ""


def record(history: tuple[Entry, ...], event: Event) -> tuple[Entry, ...]:
    """The history with this event in its place: the same whatever the order in which events of different services came."""
    by = getattr(event.fact, "by", None)
    entry = Entry(event.time, event.source, event.sequence, event.type, by.name if by else "", note_of(event.fact))
    if not history or history[-1] < entry:
        return (*history, entry)
    entries = list(history)
    insort(entries, entry)
    return tuple(entries)


def note_of(fact: Fact) -> str:
    """The words that somebody wrote with this fact, if it carries any."""
    if isinstance(fact, RequestReturned):
        return "\n".join(verdict.note for verdict in fact.verdicts if not verdict.ok)
    for name in ("reason", "note", "question", "text", "summary"):
        if words := getattr(fact, name, ""):
            return str(words)
    return ""
