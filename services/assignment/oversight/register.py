"""The monthly register (buku register): every request that was submitted in a month, in the order of submission."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel

from services.assignment.domain.state import State
from services.assignment.oversight.stage_visits import ENDING_EVENTS
from shared.calendar import today
from shared.contracts.facts import Scope
from shared.contracts.lifecycle import Status
from shared.web.views.formats import format_numeric_date
from shared.web.views.labels import SCOPE_LABELS, STATUS_LABELS


class RegisterEntry(BaseModel):
    """A line of the register; `ended` is the day on which the request was completed, rejected, withdrawn or closed."""

    number: str
    submitted: date
    name: str
    unit: str
    scope: Scope
    letter_number: str
    letter_date: date
    lead: str
    target_date: date | None
    status: Status
    ended: date | None


def register_entry(state: State) -> RegisterEntry | None:
    """Return the line of a request, None for one that was not submitted."""
    if state.submitted_at is None or state.applicant is None or state.letter is None or state.scope is None:
        return None
    ended = next((today(entry.time) for entry in state.history if entry.event in ENDING_EVENTS), None)
    return RegisterEntry(
        number=state.number,
        submitted=today(state.submitted_at),
        name=state.applicant.name,
        unit=state.applicant.unit,
        scope=state.scope,
        letter_number=state.letter.number,
        letter_date=state.letter.date,
        lead=state.lead.name if state.lead else "",
        target_date=state.target_date,
        status=state.status,
        ended=ended,
    )


def register_cells(line: int, entry: RegisterEntry) -> list[str]:
    """Return the texts of a line, in the order of the register's columns."""
    return [
        str(line),
        entry.number,
        format_numeric_date(entry.submitted),
        f"{entry.name}, {entry.unit}",
        SCOPE_LABELS[entry.scope],
        f"{entry.letter_number}, {format_numeric_date(entry.letter_date)}",
        entry.lead or "-",
        format_numeric_date(entry.target_date) if entry.target_date else "-",
        STATUS_LABELS[entry.status] + (f", {format_numeric_date(entry.ended)}" if entry.ended else ""),
    ]
