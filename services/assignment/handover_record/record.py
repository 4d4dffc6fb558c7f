"""The content of the handover record (BAST); equal content gives equal bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from services.assignment.handover_record.pdf_fonts import width_of
from services.assignment.handover_record.pdf_layout import LEFT, LINE_HEIGHT, MIDDLE, RIGHT, PdfLayout, wrap_lines
from services.assignment.handover_record.pdf_table import Column, table
from shared.web.views.employee_number import number_kind
from shared.web.views.formats import DAYS, MONTHS, format_date

SMALL_NUMBERS = (
    "nol",
    "satu",
    "dua",
    "tiga",
    "empat",
    "lima",
    "enam",
    "tujuh",
    "delapan",
    "sembilan",
    "sepuluh",
    "sebelas",
)

WIDTH = RIGHT - LEFT
COLUMNS = (
    Column("No.", 10),
    Column("Nama Dokumen", 76),
    Column("Ukuran", 22),
    Column("SHA-256", WIDTH - 108, size=7.8, family="Courier"),
)
SIGNATURES_HEIGHT = 72.0
MAX_NAME_LINES = 3
"""Lines of a name under a signature; the complete name is at the top of the record."""
QR_WIDTH = 27.0
UNSIGNED = "." * 44


@dataclass(frozen=True, slots=True)
class Office:
    """The office that hands over; an empty `head_name` leaves a line to be filled in by hand."""

    government: str = "Pemerintah Kabupaten Halmahera Timur"
    name: str = "Dinas Komunikasi dan Informatika"
    address: str = "Maba, Kabupaten Halmahera Timur, Provinsi Maluku Utara"
    place: str = "Maba"
    head_title: str = "Kepala Dinas Komunikasi dan Informatika"
    head_name: str = ""
    head_number: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """A signatory; `number` is the formatted Nomor Pegawai, empty if there is none."""

    name: str
    number: str
    position: str
    unit: str


@dataclass(frozen=True, slots=True)
class HandoverDocument:
    """A row of the table; `size` in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HandoverRecord:
    """The content of a record. `scope` is a label (Integrasi Aplikasi), `handed_over_on` the date in Maba."""

    number: str
    request_number: str
    scope: str
    letter_number: str
    letter_date: date
    handed_over_on: date
    first: Party
    second: Party
    documents: tuple[HandoverDocument, ...]
    verification_url: str
    summary: str = ""
    office: Office = field(default_factory=Office)


def handover_record(record: HandoverRecord) -> bytes:
    """Render the record as a PDF of A4 pages, uncompressed so that its bytes depend on no compression library."""
    layout = PdfLayout(f"Berita Acara Serah Terima {record.number}", record.handed_over_on)
    letterhead(layout, record.office)
    _title(layout, record)
    _parties(layout, record)
    _documents(layout, record)
    _closing(layout, record)
    return layout.output()


def in_words(number: int) -> str:
    """Return a number from 0 to 9999 in words in Bahasa Indonesia. Raises ValueError."""
    if number < 12:
        return SMALL_NUMBERS[number]
    if number < 20:
        return f"{SMALL_NUMBERS[number - 10]} belas"
    for unit, name, one_word in ((1000, "ribu", "seribu"), (100, "ratus", "seratus"), (10, "puluh", "")):
        if number >= unit:
            head = one_word if number // unit == 1 else f"{in_words(number // unit)} {name}"
            return f"{head} {in_words(number % unit)}" if number % unit else head
    raise ValueError(number)


def day_in_words(day: date) -> str:
    """Return `Senin tanggal tiga belas bulan April tahun dua ribu dua puluh enam (13-04-2026)`."""
    return (
        f"{DAYS[day.weekday()]} tanggal {in_words(day.day)} bulan {MONTHS[day.month - 1]} "
        f"tahun {in_words(day.year)} ({day:%d-%m-%Y})"
    )


def letterhead(layout: PdfLayout, office: Office) -> None:
    """Write the name and address of the office at the top of a page."""
    for text, bold, size, height in (
        (office.government.upper(), False, 13.0, 6.5),
        (office.name.upper(), True, 16.0, 5.5),
        (office.address, False, 10.0, 3.0),
    ):
        layout.centred_text(text, bold=bold, size=size)
        layout.y += height
    layout.rule(LEFT, layout.y, layout.right, layout.y, 0.9)
    layout.rule(LEFT, layout.y + 1.1, layout.right, layout.y + 1.1, 0.25)
    layout.y += 9.5


def _title(layout: PdfLayout, record: HandoverRecord) -> None:
    title = "BERITA ACARA SERAH TERIMA"
    layout.centred_text(title, bold=True, size=14)
    half = width_of(title, True, 14) / 2
    layout.rule(MIDDLE - half, layout.y + 1, MIDDLE + half, layout.y + 1, 0.4)
    layout.y += 6.2
    layout.centred_text(f"Nomor: {record.number}")
    layout.y += 10


def _parties(layout: PdfLayout, record: HandoverRecord) -> None:
    layout.paragraph(f"Pada hari ini, {day_in_words(record.handed_over_on)}, kami yang bertanda tangan di bawah ini:")
    for ordinal, party, role_name in (("1.", record.first, "PIHAK PERTAMA"), ("2.", record.second, "PIHAK KEDUA")):
        layout.y += 1.5
        _party(layout, ordinal, party)
        layout.paragraph(f"selanjutnya disebut {role_name}.", x=LEFT + 7)
    layout.y += 1.5


def _party(layout: PdfLayout, ordinal: str, party: Party) -> None:
    layout.text(LEFT, ordinal)
    rows = (
        ("Nama", party.name),
        (number_kind(party.number), party.number),
        ("Jabatan", party.position),
        ("Unit Kerja", party.unit),
    )
    for label, value in rows:
        layout.ensure_space(LINE_HEIGHT)
        layout.text(LEFT + 7, label)
        layout.text(LEFT + 33, ":")
        layout.paragraph(value or "-", x=LEFT + 36)


def _documents(layout: PdfLayout, record: HandoverRecord) -> None:
    layout.paragraph(
        "PIHAK PERTAMA menyerahkan kepada PIHAK KEDUA, dan PIHAK KEDUA menerima dari PIHAK PERTAMA, hasil "
        f"Layanan Integrasi Sistem lingkup {record.scope} atas permohonan dengan Nomor Registrasi "
        f"{record.request_number} (surat nomor {record.letter_number} tanggal {format_date(record.letter_date)}), "
        f"berupa {len(record.documents)} ({in_words(len(record.documents))}) dokumen berikut:"
    )
    layout.y += 1.5
    rows = [
        (f"{number}.", document.name, readable_size(document.size), f"{document.sha256[:32]} {document.sha256[32:]}")
        for number, document in enumerate(record.documents, start=1)
    ]
    table(layout, COLUMNS, rows)


def readable_size(size: int) -> str:
    for unit, name in ((1024**2, "MB"), (1024, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}".replace(".", ",")
    return f"{size} B"


def _closing(layout: PdfLayout, record: HandoverRecord) -> None:
    if record.summary:
        layout.paragraph(f"Keterangan: {record.summary}")
        layout.y += 1.5
    closing = (
        "Demikian Berita Acara Serah Terima ini dibuat dengan sebenarnya untuk dipergunakan sebagaimana mestinya. "
        "Keutuhan setiap dokumen dapat diperiksa dengan nilai SHA-256 di atas, dan keabsahan berita acara ini dengan "
        "kode QR di bawah."
    )
    name_lines = max(len(_name_lines(party.name)) for party in (record.first, record.second))
    layout.ensure_space(SIGNATURES_HEIGHT + (2 + name_lines) * LINE_HEIGHT)
    layout.paragraph(closing)
    _signatures(layout, record)


def _signatures(layout: PdfLayout, record: HandoverRecord) -> None:
    left, right, office = LEFT + WIDTH * 0.22, RIGHT - WIDTH * 0.22, record.office
    layout.y += 3
    layout.centred_text(f"{office.place}, {format_date(record.handed_over_on)}", right)
    layout.y += LINE_HEIGHT
    top = layout.y
    _signature(layout, left, ["PIHAK KEDUA,"], record.second.name, record.second.number)
    signed, layout.y = layout.y, top
    _signature(layout, right, ["PIHAK PERTAMA,"], record.first.name, record.first.number)
    layout.y = max(signed, layout.y) + 1
    layout.qr_code(record.verification_url, LEFT, layout.y, QR_WIDTH)
    layout.y += 3
    top = layout.y
    _signature(layout, MIDDLE, ["Mengetahui,", f"{office.head_title},"], office.head_name, office.head_number)
    layout.y = top + QR_WIDTH + 0.5
    layout.text(LEFT, "Pindai untuk memeriksa keabsahan", size=8)


def _signature(layout: PdfLayout, x: float, heading: list[str], name: str, number: str) -> None:
    for line in heading:
        layout.centred_text(line, x)
        layout.y += LINE_HEIGHT
    layout.y += 13.5
    for line in _name_lines(name):
        layout.centred_text(line, x, bold=bool(name))
        layout.y += LINE_HEIGHT
    layout.centred_text(f"{number_kind(number)} {number}" if number or not name else "", x)
    layout.y += LINE_HEIGHT


def _name_lines(name: str) -> list[str]:
    return wrap_lines(name or UNSIGNED, WIDTH * 0.43, bold=bool(name))[:MAX_NAME_LINES]
