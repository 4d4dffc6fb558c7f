"""Notes among staff about a request, in the order of their times."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.assignment import WorkNoteAdded
from shared.contracts.envelope import Event
from shared.contracts.facts import Staff
from shared.contracts.verification import NoteAdded


@dataclass(frozen=True, slots=True)
class StaffNote:
    """A note; `source` and `sequence` are those of its event."""

    time: datetime
    source: str
    sequence: int
    text: str
    by: Staff


def add_note(notes: tuple[StaffNote, ...], event: Event) -> tuple[StaffNote, ...]:
    """Return the notes with that of this event at its place, unchanged if the event adds none."""
    fact = event.fact
    if not isinstance(fact, NoteAdded | WorkNoteAdded):
        return notes
    found = list(notes)
    note = StaffNote(event.time, event.source, event.sequence, fact.text, fact.by)
    insort(found, note, key=lambda earlier: (earlier.time, earlier.source, earlier.sequence))
    return tuple(found)
