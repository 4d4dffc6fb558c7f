"""The layout of a PDF: A4 pages of text lines, rules and a QR code; equal calls give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import segno

from services.assignment.handover_record.pdf_fonts import (
    FALLBACK_FAMILY,
    add_fallback_font,
    is_standard,
    new_pdf,
    printable,
    width_of,
)

LEFT, RIGHT, TOP, BOTTOM = 25.0, 190.0, 14.0, 281.0
FOOTER_Y = 288.0
LANDSCAPE = (277.0, 194.0, 201.0)
"""The right and lower margin, and the footer, of a page in landscape."""
MIDDLE = (LEFT + RIGHT) / 2
LINE_HEIGHT = 5.0
POINT_MM = 25.4 / 72
BODY_SIZE = 11.0
QR_MASK = 2
"""A fixed mask: every mask is readable, and choosing the best of eight takes five times as long as drawing the code."""


class PdfLayout:
    """A4 pages written from top to bottom. It wraps lines itself, in a tenth of the time of the library."""

    def __init__(self, title: str, day: date, *, landscape: bool = False) -> None:
        self._title = title
        self._pdf = new_pdf("landscape" if landscape else "portrait")
        self.right, self._bottom, self._footer_y = LANDSCAPE if landscape else (RIGHT, BOTTOM, FOOTER_Y)
        self.middle = (LEFT + self.right) / 2
        self._pdf.set_compression(False)
        self._pdf.set_creation_date(datetime(day.year, day.month, day.day, tzinfo=UTC))
        self._pdf.set_producer("Simpul")
        self._pdf.set_lang("id")
        self._pdf.set_title(printable(title))
        self._pdf.set_auto_page_break(False)
        self.y = TOP
        self._start_page()

    def output(self) -> bytes:
        pages = self._pdf.page_no()
        for page in range(1, pages + 1):
            self._write_footer(page, pages)
        return bytes(self._pdf.output())

    def ensure_space(self, height: float) -> bool:
        """Start a new page if the current one has not enough space; return whether it had."""
        has_space = self.y + height <= self._bottom
        if not has_space:
            self._start_page()
        return has_space

    def text(self, x: float, text: str, *, bold: bool = False, size: float = BODY_SIZE, family: str = "Times") -> None:
        """Write one line; if Times lacks a character of it, the whole line is set in the embedded font."""
        printable_text = printable(text).replace("\n", " ")
        if not is_standard(printable_text):
            add_fallback_font(self._pdf, bold)
            family = FALLBACK_FAMILY
        self._pdf.set_font(family, "B" if bold else "", size)
        self._pdf.text(x, self.y, printable_text)

    def centred_text(self, text: str, x: float | None = None, *, bold: bool = False, size: float = BODY_SIZE) -> None:
        printable_text = printable(text).replace("\n", " ")
        middle = self.middle if x is None else x
        self.text(middle - width_of(printable_text, bold, size) / 2, printable_text, bold=bold, size=size)

    def paragraph(self, text: str, *, x: float = LEFT) -> None:
        """Write a justified paragraph; line breaks stay, and several empty lines become one."""
        right = self.right
        parts = printable(text).split("\n")
        for part in (part for part, above in zip(parts, ["", *parts], strict=False) if part.strip() or above.strip()):
            lines = wrap_lines(part, right - x)
            for number, line in enumerate(lines, start=1):
                self.ensure_space(LINE_HEIGHT)
                if number == len(lines):
                    self.text(x, line)
                else:
                    self._write_justified(line, x, right)
                self.y += LINE_HEIGHT

    def rule(self, x: float, y: float, to_x: float, to_y: float, width: float = 0.2) -> None:
        self._pdf.set_line_width(width)
        self._pdf.line(x, y, to_x, to_y)

    def qr_code(self, text: str, x: float, y: float, width: float) -> None:
        """Draw a QR code, `width` mm wide; adjacent dark modules of a row are one rectangle."""
        matrix = segno.make_qr(text, error="m", mask=QR_MASK).matrix
        side = width / len(matrix) / POINT_MM
        left, top = x / POINT_MM, self._pdf.h_pt - y / POINT_MM
        runs = (
            f"{begin} {row} {length} 1 re" for row, modules in enumerate(matrix) for begin, length in dark_runs(modules)
        )
        # One path in units of a module instead of hundreds of calls; the public API of the library has no cheaper way.
        self._pdf._out(f"q {side:.4f} 0 0 {-side:.4f} {left:.2f} {top:.2f} cm\n" + "\n".join(runs) + "\nf Q")  # noqa: SLF001

    def _write_justified(self, line: str, x: float, right: float) -> None:
        slack = (right - x - width_of(line, False, BODY_SIZE)) / max(line.count(" "), 1)
        if not is_standard(line):
            self._write_spaced(line, x, slack)
            return
        # Word spacing holds until it is reset; the library sets it only for text that it wraps itself.
        self._pdf._out(f"{slack / POINT_MM:.3f} Tw")  # noqa: SLF001
        self.text(x, line)
        self._pdf._out("0 Tw")  # noqa: SLF001

    def _write_spaced(self, line: str, x: float, slack: float) -> None:
        """Write word by word, because word spacing has no effect on an embedded font; spaces are kept for copying."""
        *words, last = line.split(" ")
        for word in words:
            self.text(x, f"{word} ")
            x += width_of(f"{word} ", False, BODY_SIZE) + slack
        self.text(x, last)

    def _start_page(self) -> None:
        self._pdf.add_page()
        self.y = TOP + LINE_HEIGHT

    def _write_footer(self, page: int, pages: int) -> None:
        self._pdf.page, self.y = page, self._footer_y
        counted = f"Halaman {page} dari {pages}"
        # A distinct size, because the library selects a font only when it differs from the last one.
        self.text(LEFT, self._title, size=8.01)
        self.text(self.right - width_of(counted, False, 8), counted, size=8)


def wrap_lines(text: str, width: float, *, bold: bool = False, size: float = BODY_SIZE) -> list[str]:
    """Wrap text into lines no wider than `width` mm; a wider word is broken."""
    lines, line = [], ""
    for word in _narrow_words(printable(text), width, bold, size):
        longer = f"{line} {word}" if line else word
        if line and width_of(longer, bold, size) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def dark_runs(modules: bytearray | bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and length of each run of dark modules."""
    begin = 0
    for run in bytes(modules).split(b"\x00"):
        if run:
            yield begin, len(run)
        begin += len(run) + 1


def _narrow_words(text: str, width: float, bold: bool, size: float) -> Iterator[str]:
    for word in text.split():
        rest = word
        while width_of(rest, bold, size) > width:
            cut = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or width_of(rest[:n], bold, size) <= width)
            yield rest[:cut]
            rest = rest[cut:]
        yield rest
