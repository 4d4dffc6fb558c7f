"""Whether a PDF is whole and opens without a password."""

from __future__ import annotations

from typing import BinaryIO

import pypdfium2
import pypdfium2.raw as pdfium

from shared.documents.port import DocumentRefused

MAX_PAGES = 5_000
"""Pages that are looked up; a longer document is judged by these."""
REFUSAL_MESSAGES = {
    "damaged": "PDF rusak atau tidak lengkap, mungkin terpotong ketika disalin atau diunduh. "
    "Mohon kirim ulang dari berkas aslinya.",
    "encrypted": "PDF terkunci dengan kata sandi. Mohon kirim PDF tanpa kata sandi.",
}

_LOCKED = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)


def check_pdf(file: BinaryIO) -> None:
    """Raises DocumentRefused ("damaged", "encrypted"). One that only forbids printing or changes is fine."""
    file.seek(0)
    content = file.read()
    _check_pages(content)
    _check_end(content)


def _check_end(content: bytes) -> None:
    """The last end mark has no objects after it: those of an update that was cut off have no end mark of their own.

    Other bytes may follow, which mail gateways and web servers add and readers pass over.
    """
    end = max(content.rfind(b"%%EOF"), content.rfind(b"startxref"))
    if end < 0 or content.find(b"endobj", end) >= 0 or content.find(b" 0 obj", end) >= 0:
        raise _refusal("damaged")


def _check_pages(content: bytes) -> None:
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) in _LOCKED
        raise _refusal("encrypted" if locked else "damaged") from None
    try:
        count = len(document)
        for number in range(min(count, MAX_PAGES)):
            document.get_page_size(number)
    except pypdfium2.PdfiumError:
        raise _refusal("damaged") from None
    if count == 0:
        raise _refusal("damaged")


def _refusal(code: str) -> DocumentRefused:
    return DocumentRefused(code, REFUSAL_MESSAGES[code])
