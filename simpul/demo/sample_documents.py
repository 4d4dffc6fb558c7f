"""Documents like those of an office: a letter on letterhead, descriptions as PDF and DOCX, a diagram as PNG.

The same request gives the same bytes: dates in the files come from the letter, never from the clock.
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

from simpul.client_types import Upload
from simpul.demo.sample_requests import SampleRequest

PDF = "application/pdf"
PNG = "image/png"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MONTHS = (
    "Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober", "November",
    "Desember",
)  # fmt: skip
DATA_ELEMENTS = (
    ("id_pegawai", "teks", "Pengenal pegawai di sistem asal", "ya"),
    ("nama_lengkap", "teks", "Nama tanpa gelar", "ya"),
    ("kode_unit", "teks", "Kode unit kerja menurut referensi daerah", "tidak"),
    ("tanggal_data", "tanggal", "Hari yang digambarkan oleh baris ini", "tidak"),
    ("nilai", "angka", "Besaran yang dicatat", "tidak"),
    ("satuan", "teks", "Satuan dari nilai", "tidak"),
    ("status", "kode", "A untuk aktif, N untuk tidak aktif", "tidak"),
    ("diubah_pada", "waktu", "Perubahan terakhir, ISO 8601 dengan zona", "tidak"),
)
API_CALLS = (
    ("GET", "/v1/pegawai", "Daftar, dapat dibagi per halaman"),
    ("GET", "/v1/pegawai/{id}", "Satu baris menurut pengenal"),
    ("POST", "/v1/perubahan", "Menerima perubahan dari sistem asal"),
    ("GET", "/v1/kesehatan", "Tanda bahwa layanan berjalan"),
)
SIGNATURE_COLUMN_MM = 115


def letter(sample_request: SampleRequest) -> Upload:
    """The letter of request, addressed to Diskominfo."""
    form, pdf = sample_request.form, _new_pdf(sample_request)
    _letterhead(pdf, form["unit"])
    scope = "Integrasi Aplikasi" if form["scope"] == "application" else "Integrasi Data"
    about = (("Nomor", form["letter_number"]), ("Lampiran", "1 (satu) berkas"), ("Perihal", f"Permohonan {scope}"))
    for label, value in about:
        pdf.cell(24, 6, label)
        _line(pdf, f": {value}")
    pdf.ln(6)
    for line in ("Yth. Kepala Dinas Komunikasi dan Informatika", "Kabupaten Halmahera Timur", "di Maba"):
        _line(pdf, line)
    pdf.ln(6)
    _text(pdf, f"Dengan hormat, {form['description'][0].lower()}{form['description'][1:]}")
    _text(
        pdf,
        "Persyaratan dan uraian teknis kami lampirkan. Sebagai narahubung kami menunjuk "
        f"{form['name']}, {form['position']}. Atas perhatian dan kerja sama Bapak/Ibu kami ucapkan terima kasih.",
    )
    pdf.ln(10)
    for line in (f"Maba, {_long_date(sample_request)}", form["position"], "", "", form["name"]):
        pdf.set_x(SIGNATURE_COLUMN_MM)
        _line(pdf, line)
    return Upload("surat-permohonan.pdf", bytes(pdf.output()), PDF)


def interface_description(sample_request: SampleRequest) -> Upload:
    pdf = _new_pdf(sample_request)
    _title(pdf, "Uraian Antarmuka")
    _text(pdf, f"Dokumen ini menerangkan hubungan antara {sample_request.source} dan {sample_request.target}.")
    _table(pdf, ("Metode", "Alamat", "Kegunaan"), API_CALLS, (20, 60, 90))
    _title(pdf, "Unsur Data")
    _table(pdf, ("Nama", "Jenis", "Arti", "Pribadi"), _sample_rows(sample_request, DATA_ELEMENTS), (35, 22, 93, 20))
    return Upload("uraian-antarmuka.pdf", bytes(pdf.output()), PDF)


def data_dictionary(sample_request: SampleRequest) -> Upload:
    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = _letter_time(sample_request)
    document.core_properties.author = sample_request.form["name"]
    document.add_heading("Kamus Data", level=1)
    document.add_paragraph(
        f"Data mengalir dari {sample_request.source} ke {sample_request.target}. {sample_request.form['description']}"
    )
    table = document.add_table(rows=1, cols=4, style="Table Grid")
    for row in (("Nama", "Jenis", "Arti", "Data pribadi"), *_sample_rows(sample_request, DATA_ELEMENTS)):
        cells = table.rows[0].cells if row[0] == "Nama" else table.add_row().cells
        for cell, text in zip(cells, row, strict=True):
            cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return Upload("kamus-data.docx", _without_timestamps(buffer.getvalue()), DOCX)


def diagram(sample_request: SampleRequest) -> Upload:
    picture = Image.new("RGB", (960, 360), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    for left, title in ((40, sample_request.source), (380, "penghubung"), (720, sample_request.target)):
        pen.rounded_rectangle((left, 120, left + 200, 220), radius=12, outline="#1f4e5f", width=3)
        pen.multiline_text(
            (left + 100, 170), _split_title(title), fill="#1f2933", font=font, anchor="mm", align="center"
        )
    for left in (240, 580):
        pen.line((left, 170, left + 130, 170), fill="#b4532a", width=4)
        pen.polygon(((left + 140, 170), (left + 122, 160), (left + 122, 180)), fill="#b4532a")
    pen.text((40, 40), "Alur integrasi", fill="#1f2933", font=ImageFont.load_default(28))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return Upload("diagram-alur.png", buffer.getvalue(), PNG)


def result_report(sample_request: SampleRequest) -> Upload:
    """The report that the technical lead hands over."""
    pdf = _new_pdf(sample_request)
    _title(pdf, "Laporan Hasil Integrasi")
    _text(
        pdf, f"Hubungan antara {sample_request.source} dan {sample_request.target} telah dipasang, diuji, dan berjalan."
    )
    rows = [(address, method, "Berhasil") for method, address, _ in API_CALLS]
    _table(pdf, ("Yang diuji", "Metode", "Hasil"), rows, (90, 40, 40))
    return Upload("laporan-hasil.pdf", bytes(pdf.output()), PDF)


def handover_sample(sample_request: SampleRequest) -> Upload:
    """A short handover record, for requests that were never handed over by the application itself."""
    pdf = _new_pdf(sample_request)
    _title(pdf, "Berita Acara Serah Terima (contoh)")
    _text(pdf, f"Hasil integrasi antara {sample_request.source} dan {sample_request.target} telah diserahterimakan.")
    return Upload("berita-acara.pdf", bytes(pdf.output()), PDF)


REQUIREMENTS: tuple[Callable[[SampleRequest], Upload], ...] = (interface_description, data_dictionary, diagram)


def requirements(sample_request: SampleRequest) -> list[Upload]:
    """One to three requirement documents of different kinds."""
    return [
        make(sample_request)
        for make in sample_request.rng.sample(REQUIREMENTS, sample_request.rng.randint(1, len(REQUIREMENTS)))
    ]


def _new_pdf(sample_request: SampleRequest) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_letter_time(sample_request))
    pdf.set_author(sample_request.form["name"])
    pdf.set_margins(20, 18)
    pdf.add_page()
    pdf.set_font("Times", size=12)
    return pdf


def _letterhead(pdf: FPDF, unit: str) -> None:
    for size, line in ((13, "PEMERINTAH KABUPATEN HALMAHERA TIMUR"), (16, unit.upper())):
        pdf.set_font("Times", style="B", size=size)
        pdf.multi_cell(0, 7, line, align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_font("Times", size=10)
    pdf.multi_cell(0, 5, "Kompleks Perkantoran, Kota Maba", align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_line_width(0.8)
    pdf.line(20, pdf.get_y() + 2, 190, pdf.get_y() + 2)
    pdf.ln(8)
    pdf.set_font("Times", size=12)


def _title(pdf: FPDF, text: str) -> None:
    pdf.ln(4)
    pdf.set_font("Times", style="B", size=14)
    _line(pdf, text)
    pdf.set_font("Times", size=12)
    pdf.ln(2)


def _line(pdf: FPDF, text: str) -> None:
    pdf.cell(0, 6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _text(pdf: FPDF, text: str) -> None:
    pdf.multi_cell(0, 6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(3)


def _table(pdf: FPDF, headers: Sequence[str], rows: Sequence[Sequence[str]], widths: tuple[int, ...]) -> None:
    pdf.set_font("Times", size=10)
    with pdf.table(col_widths=widths, line_height=6) as table:
        for cells in (headers, *rows):
            table.row(cells)
    pdf.set_font("Times", size=12)


def _sample_rows(sample_request: SampleRequest, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(sample_request.rng.sample(rows, sample_request.rng.randint(4, len(rows))), key=rows.index)


def _letter_time(sample_request: SampleRequest) -> datetime:
    return datetime.fromisoformat(sample_request.form["letter_date"]).replace(hour=2, tzinfo=UTC)


def _long_date(sample_request: SampleRequest) -> str:
    day = _letter_time(sample_request)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _split_title(title: str) -> str:
    words = title.split()
    middle = (len(words) + 1) // 2
    return "\n".join((" ".join(words[:middle]), " ".join(words[middle:]))).strip()


def _without_timestamps(archive: bytes) -> bytes:
    """The archive without the modification times of its entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
