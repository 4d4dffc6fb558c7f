"""Checks that a PDF is complete and opens without a password."""

from __future__ import annotations

from typing import BinaryIO

import pypdfium2
import pypdfium2.raw as pdfium

from shared.documents.port import DocumentRefused

MAX_PAGES = 5_000
"""Only the first pages of a longer document are checked."""
REFUSAL_MESSAGES = {
    "damaged": "PDF rusak atau tidak lengkap, mungkin terpotong ketika disalin atau diunduh. "
    "Mohon kirim ulang dari berkas aslinya.",
    "encrypted": "PDF terkunci dengan kata sandi. Mohon kirim PDF tanpa kata sandi.",
}

_LOCKED = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)


def check_pdf(file: BinaryIO) -> None:
    """Check a PDF; one that only forbids printing or changes is accepted. Raises: DocumentRefused ("damaged", "encrypted")."""
    file.seek(0)
    content = file.read()
    _check_pages(content)
    _check_end(content)


def _check_end(content: bytes) -> None:
    """Check that no objects follow the last end marker, as they do after a truncated incremental update.

    Other trailing bytes are accepted: mail gateways and web servers add them, and readers ignore them.
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
