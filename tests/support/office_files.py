"""Realistic files made by common office libraries."""

from __future__ import annotations

import io

import docx
import openpyxl
from fpdf import FPDF
from odf.opendocument import OpenDocumentText
from odf.text import P
from PIL import Image, ImageDraw

from simpul.client_types import Upload

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"


def pdf(name: str, text: str) -> Upload:
    paper = FPDF()
    paper.add_page()
    paper.set_font("Helvetica", size=12)
    paper.multi_cell(0, 8, text)
    return Upload(name, bytes(paper.output()), "application/pdf")


def encrypted_pdf(text: str) -> bytes:
    """Return a PDF that is encrypted with a password."""
    paper = FPDF()
    paper.set_encryption(owner_password="pemilik", user_password="pembaca")
    paper.add_page()
    paper.set_font("Helvetica", size=12)
    paper.multi_cell(0, 8, text)
    return bytes(paper.output())


def word(name: str, text: str) -> Upload:
    document, file = docx.Document(), io.BytesIO()
    document.add_paragraph(text)
    document.save(file)
    return Upload(name, file.getvalue(), DOCX)


def sheet(name: str) -> Upload:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["kolom", "satuan"])
    book.save(file)
    return Upload(name, file.getvalue(), XLSX)


def open_text(name: str, text: str) -> Upload:
    document, file = OpenDocumentText(), io.BytesIO()
    document.text.addElement(P(text=text))
    document.write(file)
    return Upload(name, file.getvalue(), ODT)


def picture(name: str) -> Upload:
    image, file = Image.new("RGB", (640, 400), "white"), io.BytesIO()
    ImageDraw.Draw(image).rectangle((40, 40, 280, 160), outline="navy", width=4)
    image.save(file, "PNG")
    return Upload(name, file.getvalue(), "image/png")
