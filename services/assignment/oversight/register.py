"""The monthly register (buku register): every request that was submitted in a month, in the order of submission, also as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel

from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.handover_record.pdf_layout import LINE_HEIGHT
from services.assignment.handover_record.pdf_table import Column, table
from services.assignment.handover_record.record import UNSIGNED, Office
from services.assignment.oversight.pdf_report import start_report
from services.assignment.oversight.periods import month_of
from services.assignment.oversight.stage_visits import ENDING_EVENTS
from shared.calendar import today
from shared.contracts.facts import Scope
from shared.contracts.lifecycle import Status
from shared.runtime.request_columns import PageKey
from shared.web.views.formats import format_date, format_decimal, format_numeric_date
from shared.web.views.labels import SCOPE_LABELS, STATUS_LABELS

MAX_REGISTER_ENTRIES = 1000
"""The entries of a month that a response or a file has at most."""
PDF_COLUMN_WIDTHS = (10.0, 31.0, 22.0, 47.0, 24.0, 37.0, 36.0, 22.0, 23.0)
SIGNATURE_HEIGHT = 42.0


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


@dataclass(frozen=True, slots=True)
class RegisterPart:
    """A part of the register of a month with the number of its first entry, that of all, and the keys of the adjacent parts."""

    entries: tuple[RegisterEntry, ...]
    first_number: int
    total: int
    next: PageKey
    previous: PageKey

    @property
    def last_number(self) -> int:
        return self.first_number + len(self.entries) - 1

    @property
    def lines(self) -> list[list[str]]:
        """The texts of the lines, in the order of the register's columns."""
        return [register_cells(number, entry) for number, entry in enumerate(self.entries, start=self.first_number)]


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


def register_pdf(part: RegisterPart, month: date, day: date) -> bytes:
    """Render a part of the register; `day` is that on which it is made. Takes a while: run it in a thread."""
    subtitles = [WORDS.register.month.format(month=month_of(month).label)]
    if 0 < len(part.entries) < part.total:
        first, last, total = (format_decimal(one, 0) for one in (part.first_number, part.last_number, part.total))
        subtitles.append(WORDS.register.part.format(first=first, last=last, total=total))
    layout = start_report(WORDS.register.pdf_title, subtitles, day, landscape=True)
    if part.entries:
        columns = [Column(name, width) for name, width in zip(WORDS.register.head, PDF_COLUMN_WIDTHS, strict=True)]
        table(layout, columns, part.lines)
    else:
        layout.paragraph(WORDS.register.none)
    office, x = Office(), layout.right - 45
    layout.ensure_space(SIGNATURE_HEIGHT)
    for line in (f"{office.place}, {format_date(day)}", f"{office.head_title},"):
        layout.centred_text(line, x)
        layout.y += LINE_HEIGHT
    layout.y += 18
    layout.centred_text(office.head_name or UNSIGNED, x)
    return layout.output()
