"""Notes among staff over HTTP, in the services whose staff write them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.contracts.notes import StaffNote
from shared.web.api.commands import Text
from shared.web.api.validation import RequestBody


class NoteBody(RequestBody):
    """A note among staff, which applicants never see."""

    text: Text


class NoteResponse(BaseModel):
    """A note among staff; `by` is the name of its author."""

    time: datetime
    by: str
    text: str


class NotesResponse(BaseModel):
    """All notes of a request, oldest first."""

    items: list[NoteResponse]


def present_notes(notes: Iterable[StaffNote]) -> list[dict[str, Any]]:
    """`{time, by, text}` of each note, oldest first."""
    return [{"time": note.time, "by": note.by.name, "text": note.text} for note in notes]
