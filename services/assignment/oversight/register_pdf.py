"""The monthly register (buku register) as PDF, in landscape, with a place for the signature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from services.assignment.errors import WORDS
from services.assignment.handover_record.pdf_layout import LINE_HEIGHT
from services.assignment.handover_record.record import UNSIGNED, Office
from services.assignment.oversight.pdf_table import Column, start_report, table
from services.assignment.oversight.register import RegisterEntry, register_cells
from shared.web.views.formats import MONTHS, format_date

WIDTHS = (10.0, 31.0, 22.0, 47.0, 24.0, 37.0, 36.0, 22.0, 23.0)
SIGNATURE_HEIGHT = 42.0


def register_pdf(entries: Sequence[RegisterEntry], month: date, day: date) -> bytes:
    """Render the register; `day` is that on which it is made. Takes a while: run it in a thread."""
    period = WORDS.register.month.format(month=f"{MONTHS[month.month - 1]} {month.year}")
    layout = start_report(WORDS.register.pdf_title, [period], day, landscape=True)
    if entries:
        columns = [Column(name, width) for name, width in zip(WORDS.register.head, WIDTHS, strict=True)]
        table(layout, columns, [register_cells(number, entry) for number, entry in enumerate(entries, start=1)])
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
