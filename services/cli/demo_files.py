"""Documents like those an office sends: a letter on letterhead, descriptions as PDF and DOCX, a diagram as PNG.

The same case gives the same bytes: dates inside the files come from the letter, never from the clock.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import docx
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from PIL import Image, ImageDraw, ImageFont

from services.cli.demo_cases import Case
from services.cli.shapes import Upload

PDF = "application/pdf"
PNG = "image/png"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MONTHS = (
    "Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober", "November",
    "Desember",
)  # fmt: skip
ELEMENTS = (
    ("id_pegawai", "teks", "Pengenal pegawai di sistem asal", "ya"),
    ("nama_lengkap", "teks", "Nama tanpa gelar", "ya"),
    ("kode_unit", "teks", "Kode unit kerja menurut referensi daerah", "tidak"),
    ("tanggal_data", "tanggal", "Hari yang digambarkan oleh baris ini", "tidak"),
    ("nilai", "angka", "Besaran yang dicatat", "tidak"),
    ("satuan", "teks", "Satuan dari nilai", "tidak"),
    ("status", "kode", "A untuk aktif, N untuk tidak aktif", "tidak"),
    ("diubah_pada", "waktu", "Perubahan terakhir, ISO 8601 dengan zona", "tidak"),
)
CALLS = (
    ("GET", "/v1/pegawai", "Daftar, dapat dibagi per halaman"),
    ("GET", "/v1/pegawai/{id}", "Satu baris menurut pengenal"),
    ("POST", "/v1/perubahan", "Menerima perubahan dari sistem asal"),
    ("GET", "/v1/kesehatan", "Tanda bahwa layanan berjalan"),
)
SIGNING_COLUMN = 115


def letter(case: Case) -> Upload:
    """The letter of request, addressed to Diskominfo."""
    form, paper = case.form, _paper(case)
    _letterhead(paper, form["unit"])
    scope = "Integrasi Aplikasi" if form["scope"] == "application" else "Integrasi Data"
    about = (("Nomor", form["letter_number"]), ("Lampiran", "1 (satu) berkas"), ("Perihal", f"Permohonan {scope}"))
    for label, value in about:
        paper.cell(24, 6, label)
        _line(paper, f": {value}")
    paper.ln(6)
    for line in ("Yth. Kepala Dinas Komunikasi dan Informatika", "Kabupaten Halmahera Timur", "di Maba"):
        _line(paper, line)
    paper.ln(6)
    _text(paper, f"Dengan hormat, {form['description'][0].lower()}{form['description'][1:]}")
    _text(
        paper,
        "Persyaratan dan uraian teknis kami lampirkan. Sebagai narahubung kami menunjuk "
        f"{form['name']}, {form['position']}. Atas perhatian dan kerja sama Bapak/Ibu kami ucapkan terima kasih.",
    )
    paper.ln(10)
    for line in (f"Maba, {_long_date(case)}", form["position"], "", "", form["name"]):
        paper.set_x(SIGNING_COLUMN)
        _line(paper, line)
    return Upload("surat-permohonan.pdf", bytes(paper.output()), PDF)


def interface_description(case: Case) -> Upload:
    paper = _paper(case)
    _title(paper, "Uraian Antarmuka")
    _text(paper, f"Dokumen ini menerangkan hubungan antara {case.source} dan {case.target}.")
    _table(paper, ("Metode", "Alamat", "Kegunaan"), CALLS, (20, 60, 90))
    _title(paper, "Unsur Data")
    _table(paper, ("Nama", "Jenis", "Arti", "Pribadi"), _some(case, ELEMENTS), (35, 22, 93, 20))
    return Upload("uraian-antarmuka.pdf", bytes(paper.output()), PDF)


def data_dictionary(case: Case) -> Upload:
    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = _moment(case)
    document.core_properties.author = case.form["name"]
    document.add_heading("Kamus Data", level=1)
    document.add_paragraph(f"Data mengalir dari {case.source} ke {case.target}. {case.form['description']}")
    table = document.add_table(rows=1, cols=4, style="Table Grid")
    for row in (("Nama", "Jenis", "Arti", "Data pribadi"), *_some(case, ELEMENTS)):
        cells = table.rows[0].cells if row[0] == "Nama" else table.add_row().cells
        for cell, text in zip(cells, row, strict=True):
            cell.text = text
    written = io.BytesIO()
    document.save(written)
    return Upload("kamus-data.docx", _timeless(written.getvalue()), DOCX)


def diagram(case: Case) -> Upload:
    picture = Image.new("RGB", (960, 360), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    for left, title in ((40, case.source), (380, "penghubung"), (720, case.target)):
        pen.rounded_rectangle((left, 120, left + 200, 220), radius=12, outline="#1f4e5f", width=3)
        pen.multiline_text((left + 100, 170), _wrapped(title), fill="#1f2933", font=font, anchor="mm", align="center")
    for left in (240, 580):
        pen.line((left, 170, left + 130, 170), fill="#b4532a", width=4)
        pen.polygon(((left + 140, 170), (left + 122, 160), (left + 122, 180)), fill="#b4532a")
    pen.text((40, 40), "Alur integrasi", fill="#1f2933", font=ImageFont.load_default(28))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return Upload("diagram-alur.png", written.getvalue(), PNG)


def result_report(case: Case) -> Upload:
    """What the technical lead hands over."""
    paper = _paper(case)
    _title(paper, "Laporan Hasil Integrasi")
    _text(paper, f"Hubungan antara {case.source} dan {case.target} telah dipasang, diuji, dan berjalan.")
    rows = [(address, method, "Berhasil") for method, address, _ in CALLS]
    _table(paper, ("Yang diuji", "Metode", "Hasil"), rows, (90, 40, 40))
    return Upload("laporan-hasil.pdf", bytes(paper.output()), PDF)


REQUIREMENTS: tuple[Callable[[Case], Upload], ...] = (interface_description, data_dictionary, diagram)


def requirements(case: Case) -> list[Upload]:
    """One to three requirement documents of different kinds."""
    return [make(case) for make in case.chance.sample(REQUIREMENTS, case.chance.randint(1, len(REQUIREMENTS)))]


def _paper(case: Case) -> FPDF:
    paper = FPDF(format="A4")
    paper.set_creation_date(_moment(case))
    paper.set_author(case.form["name"])
    paper.set_margins(20, 18)
    paper.add_page()
    paper.set_font("Times", size=12)
    return paper


def _letterhead(paper: FPDF, unit: str) -> None:
    for size, line in ((13, "PEMERINTAH KABUPATEN HALMAHERA TIMUR"), (16, unit.upper())):
        paper.set_font("Times", style="B", size=size)
        paper.multi_cell(0, 7, line, align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font("Times", size=10)
    paper.multi_cell(0, 5, "Kompleks Perkantoran, Kota Maba", align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_line_width(0.8)
    paper.line(20, paper.get_y() + 2, 190, paper.get_y() + 2)
    paper.ln(8)
    paper.set_font("Times", size=12)


def _title(paper: FPDF, text: str) -> None:
    paper.ln(4)
    paper.set_font("Times", style="B", size=14)
    _line(paper, text)
    paper.set_font("Times", size=12)
    paper.ln(2)


def _line(paper: FPDF, text: str) -> None:
    paper.cell(0, 6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _text(paper: FPDF, text: str) -> None:
    paper.multi_cell(0, 6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.ln(3)


def _table(paper: FPDF, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: tuple[int, ...]) -> None:
    paper.set_font("Times", size=10)
    with paper.table(col_widths=widths, line_height=6) as table:
        for cells in (heads, *rows):
            table.row(cells)
    paper.set_font("Times", size=12)


def _some(case: Case, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(case.chance.sample(rows, case.chance.randint(4, len(rows))), key=rows.index)


def _moment(case: Case) -> datetime:
    return datetime.fromisoformat(case.form["letter_date"]).replace(hour=2, tzinfo=UTC)


def _long_date(case: Case) -> str:
    day = _moment(case)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _wrapped(title: str) -> str:
    words = title.split()
    middle = (len(words) + 1) // 2
    return "\n".join((" ".join(words[:middle]), " ".join(words[middle:]))).strip()


def _timeless(archive: bytes) -> bytes:
    """The same archive without the times at which its entries were written."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return written.getvalue()
