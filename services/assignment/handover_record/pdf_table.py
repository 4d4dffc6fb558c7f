"""Tables of a PDF, which repeat their head on each page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.assignment.handover_record.pdf_fonts import printable, width_of
from services.assignment.handover_record.pdf_layout import LEFT, LINE_HEIGHT, PdfLayout, wrap_lines

SIZE = 10.0
CELL_LINE, CELL_PADDING, CELL_MARGIN = 4.1, 1.9, 1.5


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its width in mm; a column of numbers is aligned on its right."""

    heading: str
    width: float
    number: bool = False
    size: float = SIZE
    family: str = "Times"


def table(layout: PdfLayout, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write a table; its head is repeated on each page."""
    layout.y -= 3
    head = [column.heading for column in columns]
    _row(layout, columns, head, head=True)
    for row in rows:
        _row(layout, columns, row)
    layout.y += 7


def _row(layout: PdfLayout, columns: Sequence[Column], texts: Sequence[str], *, head: bool = False) -> None:
    cells = [
        wrap_lines(text, column.width - 2 * CELL_MARGIN, bold=head, size=SIZE if head else column.size)
        for column, text in zip(columns, texts, strict=True)
    ]
    height = CELL_LINE * max(map(len, cells)) + CELL_PADDING
    if not layout.ensure_space(height) and not head:
        layout.y -= LINE_HEIGHT
        _row(layout, columns, [column.heading for column in columns], head=True)
    top, x = layout.y, LEFT
    for column, lines in zip(columns, cells, strict=True):
        layout.rule(x, top, x, top + height)
        _cell(layout, column, x, lines, head)
        layout.y, x = top, x + column.width
    layout.rule(x, top, x, top + height)
    layout.y = top + height
    for y in (top, layout.y):
        layout.rule(LEFT, y, x, y)


def _cell(layout: PdfLayout, column: Column, x: float, lines: Sequence[str], head: bool) -> None:
    for line in lines:
        layout.y += CELL_LINE
        indent = column.width - CELL_MARGIN - width_of(printable(line), head, SIZE) if column.number else CELL_MARGIN
        if head:
            layout.text(x + indent, line, bold=True, size=SIZE)
        else:
            layout.text(x + indent, line, size=column.size, family=column.family)
