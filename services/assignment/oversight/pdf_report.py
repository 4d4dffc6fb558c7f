"""Reports as PDF in the layout of the handover record, with its letterhead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from services.assignment.handover_record.pdf_layout import LINE_HEIGHT, PdfLayout
from services.assignment.handover_record.record import Office, letterhead


def start_report(title: str, subtitles: Sequence[str], day: date, *, landscape: bool = False) -> PdfLayout:
    """Return a layout with the letterhead and the title of a report that was made on this day."""
    layout = PdfLayout(f"{title}, {subtitles[0]}", day, landscape=landscape)
    letterhead(layout, Office())
    layout.centred_text(title.upper(), bold=True, size=13)
    layout.y += 6
    for line in subtitles:
        layout.centred_text(line)
        layout.y += LINE_HEIGHT
    layout.y += 3
    return layout
