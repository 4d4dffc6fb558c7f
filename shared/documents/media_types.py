"""Accepted media types and their extensions."""

from __future__ import annotations

from shared.documents.file_names import extension_of, with_extension

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ZIP = "application/zip"

EXTENSIONS = {
    "pdf": PDF,
    "docx": DOCX,
    "xlsx": XLSX,
    "odt": ODT,
    "ods": ODS,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "jpe": JPEG,
    "jfif": JPEG,
    "jif": JPEG,
    "zip": ZIP,
}
LABELS = {PDF: "PDF", DOCX: "DOCX", XLSX: "XLSX", ODT: "ODT", ODS: "ODS", PNG: "PNG", JPEG: "JPEG", ZIP: "ZIP"}
ACCEPT = ",".join(f".{extension}" for extension in EXTENSIONS)
"""Value of the `accept` attribute of a file field."""


def stored_name(raw: str, media_type: str) -> str:
    """Return the safe name of a file of this type; a name without an extension gets the usual one."""
    usual = next((extension for extension, known in EXTENSIONS.items() if known == media_type), "")
    return with_extension(raw, usual) if usual else with_extension(raw, extension_of(raw))
