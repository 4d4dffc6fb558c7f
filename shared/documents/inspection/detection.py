"""Decides which files are accepted, by content and extension. Runs only in the sandbox, because it reads hostile bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from shared.documents.file_names import extension_of
from shared.documents.inspection.archives import detect_archive_type
from shared.documents.inspection.images import check_jpeg, check_png
from shared.documents.inspection.pdf import check_pdf
from shared.documents.inspection.signatures import HEAD_BYTES, first_element, foreign_format, has_pdf_header
from shared.documents.media_types import EXTENSIONS, JPEG, LABELS, PDF, PNG
from shared.documents.port import DocumentRefused

ACCEPTED_TYPES = f"Jenis berkas yang diterima: {', '.join(LABELS.values())}."
REFUSAL_MESSAGES = {
    "empty": "Berkas kosong. Mohon periksa kembali berkas yang dipilih.",
    "program": f"Berkas ini adalah program, bukan dokumen. {ACCEPTED_TYPES}",
    "web_page": f"Halaman web (HTML) tidak diterima; mohon cetak ke PDF lebih dahulu. {ACCEPTED_TYPES}",
    "svg": f"Gambar SVG tidak diterima; mohon simpan sebagai PNG atau PDF lebih dahulu. {ACCEPTED_TYPES}",
    "old_office": "Dokumen Office format lama atau yang berkata sandi tidak diterima; mohon simpan sebagai DOCX, "
    f"XLSX, atau PDF tanpa kata sandi. {ACCEPTED_TYPES}",
    "macro": f"Dokumen Office yang memuat makro tidak diterima; mohon simpan ulang tanpa makro. {ACCEPTED_TYPES}",
    "not_accepted": f"Jenis berkas ini tidak diterima. {ACCEPTED_TYPES}",
    "mismatch": "Isi berkas adalah {content}, tetapi namanya berakhiran .{extension}. "
    "Mohon perbaiki nama berkasnya atau pilih berkas yang benar.",
}
FOREIGN_FORMAT_MESSAGE = "Isi berkas ini adalah {label}, yang tidak diterima. {advice} {taken_in}"

EXECUTABLE_SIGNATURES = {b"MZ": "program", b"\x7fELF": "program", b"#!": "program", b"\xcf\xfa\xed\xfe": "program"}
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WEB_PAGE_ELEMENTS = (b"html", b"head", b"body", b"script", b"iframe", b"meta", b"title")
REFUSED_EXTENSIONS = {
    **dict.fromkeys(("html", "htm", "xhtml", "mhtml"), "web_page"),
    **dict.fromkeys(("svg", "svgz"), "svg"),
    **dict.fromkeys(("exe", "com", "msi", "bat", "cmd", "ps1", "vbs", "js", "jar", "apk", "sh", "scr"), "program"),
    **dict.fromkeys(("docm", "xlsm", "xlsb", "dotm", "xltm", "pptm"), "macro"),
    **dict.fromkeys(("doc", "xls", "ppt"), "old_office"),
}
INTEGRITY_CHECKS: Mapping[str, Callable[[BinaryIO], None]] = {PDF: check_pdf, PNG: check_png, JPEG: check_jpeg}


def detect_media_type(name: str, file: BinaryIO) -> str:
    """Return the media type on which content and extension agree; the file is left at any position.

    Raises: DocumentRefused with a code of REFUSAL_MESSAGES here or in the module that checks this type.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    _refuse_dangerous_content(head)
    extension = extension_of(name)
    if reason := REFUSED_EXTENSIONS.get(extension):
        raise _refusal(reason)
    content = _content_type(head, file)
    if content is None:
        raise _unknown_type_refusal(head)
    if extension and extension not in EXTENSIONS:
        raise _refusal("not_accepted")
    if extension and EXTENSIONS[extension] != content:
        raise _refusal("mismatch", content=LABELS[content], extension=extension)
    if content in INTEGRITY_CHECKS:
        INTEGRITY_CHECKS[content](file)
    return content


def _refuse_dangerous_content(head: bytes) -> None:
    if not head:
        raise _refusal("empty")
    for signature, code in EXECUTABLE_SIGNATURES.items():
        if head.startswith(signature):
            raise _refusal(code)
    element = first_element(head)
    if element == b"svg":
        raise _refusal("svg")
    if element in WEB_PAGE_ELEMENTS:
        raise _refusal("web_page")


def _content_type(head: bytes, file: BinaryIO) -> str | None:
    if head.startswith(OLD_OFFICE):
        raise _refusal("old_office")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return detect_archive_type(file)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    return PDF if has_pdf_header(head) else None


def _unknown_type_refusal(head: bytes) -> DocumentRefused:
    known = foreign_format(head)
    if known is None:
        return _refusal("not_accepted")
    sentence = FOREIGN_FORMAT_MESSAGE.format(label=known.label, advice=known.advice, taken_in=ACCEPTED_TYPES)
    return DocumentRefused("not_accepted", sentence)


def _refusal(code: str, **facts: str) -> DocumentRefused:
    return DocumentRefused(code, REFUSAL_MESSAGES[code].format(**facts))
