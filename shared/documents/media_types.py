"""Which files are taken in, told by content and by extension alike, and how their names are made harmless."""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import BinaryIO
from urllib.parse import quote

from shared.documents.archives import DOCX, ODS, ODT, XLSX, ZIP, archive_type
from shared.documents.port import DocumentRefused, Inspect

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
EXTENSIONS = {
    "pdf": PDF,
    "docx": DOCX,
    "xlsx": XLSX,
    "odt": ODT,
    "ods": ODS,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "zip": ZIP,
}
LABELS = {PDF: "PDF", DOCX: "DOCX", XLSX: "XLSX", ODT: "ODT", ODS: "ODS", PNG: "PNG", JPEG: "JPEG", ZIP: "ZIP"}
ACCEPT = ",".join(f".{extension}" for extension in EXTENSIONS)
"""For the `accept` attribute of a file field."""

TAKEN_IN = f"Jenis berkas yang diterima: {', '.join(LABELS.values())}."
SENTENCES = {
    "empty": "Berkas kosong. Mohon periksa kembali berkas yang dipilih.",
    "program": f"Berkas ini adalah program, bukan dokumen. {TAKEN_IN}",
    "web_page": f"Halaman web (HTML) tidak diterima; mohon cetak ke PDF lebih dahulu. {TAKEN_IN}",
    "svg": f"Gambar SVG tidak diterima; mohon simpan sebagai PNG atau PDF lebih dahulu. {TAKEN_IN}",
    "old_office": "Dokumen Office format lama atau yang berkata sandi tidak diterima; mohon simpan sebagai DOCX, "
    f"XLSX, atau PDF tanpa kata sandi. {TAKEN_IN}",
    "macro": f"Dokumen Office yang memuat makro tidak diterima; mohon simpan ulang tanpa makro. {TAKEN_IN}",
    "not_accepted": f"Jenis berkas ini tidak diterima. {TAKEN_IN}",
    "mismatch": "Isi berkas adalah {content}, tetapi namanya berakhiran .{extension}. "
    "Mohon perbaiki nama berkasnya atau pilih berkas yang benar.",
}

HEAD = 1024
SIGNATURES = {b"%PDF-": PDF, b"\x89PNG\r\n\x1a\n": PNG, b"\xff\xd8\xff": JPEG}
DANGERS = {b"MZ": "program", b"\x7fELF": "program", b"#!": "program", b"\xcf\xfa\xed\xfe": "program"}
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MARKUP = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(!doctype\s+)?([a-z]+)", re.IGNORECASE | re.DOTALL)
BAD_EXTENSIONS = {
    **dict.fromkeys(("html", "htm", "xhtml", "mhtml"), "web_page"),
    **dict.fromkeys(("svg", "svgz"), "svg"),
    **dict.fromkeys(("exe", "com", "msi", "bat", "cmd", "ps1", "vbs", "js", "jar", "apk", "sh", "scr"), "program"),
    **dict.fromkeys(("docm", "xlsm", "xlsb", "dotm", "xltm", "pptm"), "macro"),
    **dict.fromkeys(("doc", "xls", "ppt"), "old_office"),
}

NAME_LENGTH = 120
NAME_BYTES = 240
"""Most file systems hold a name of 255 bytes."""
UNNAMED = "dokumen"
FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


def inspect_as(name: str) -> Inspect:
    """What a DocumentStore needs to judge an upload of this name."""
    return partial(media_type_of, name)


def media_type_of(name: str, file: BinaryIO) -> str:
    """The media type that content and extension agree on. `file` is seekable and left at any position.

    Raises DocumentRefused; its code is a key of SENTENCES here or in `archives`.
    """
    file.seek(0)
    head = file.read(HEAD)
    _refuse_danger(head)
    extension = safe_name(name).rpartition(".")[2].lower()
    if bad := BAD_EXTENSIONS.get(extension):
        raise _refused(bad)
    content = _content_type(head, file)
    if content is None or extension not in EXTENSIONS:
        raise _refused("not_accepted")
    if EXTENSIONS[extension] != content:
        raise _refused("mismatch", content=LABELS[content], extension=extension)
    return content


def safe_name(raw: str) -> str:
    """A name that misleads no file system, header, log or reader: at most 120 characters, the extension kept."""
    last = unicodedata.normalize("NFC", raw[-10_000:]).replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(_harmless(character) for character in last).translate(FORBIDDEN)
    name = " ".join(visible.split()).rstrip(". ")
    stem, dot, extension = name.rpartition(".")
    if not dot or not 1 <= len(extension) <= 10:
        stem, dot, extension = name, "", ""
    stem = _shortened(stem.strip(". "), len(dot + extension)) or UNNAMED
    whole = unicodedata.normalize("NFC", f"{stem}{dot}{extension.strip()}")
    return f"_{whole}" if RESERVED.match(whole) else whole


def content_disposition(name: str) -> str:
    """The header's value (RFC 6266, RFC 8187), never inline."""
    harmless = safe_name(name)
    plain = unicodedata.normalize("NFKD", harmless).encode("ascii", "ignore").decode().replace("%", "_")
    plain = plain if plain.strip(". ") and not plain.startswith(".") else f"{UNNAMED}{plain}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(harmless, safe='')}"


def _refuse_danger(head: bytes) -> None:
    if not head:
        raise _refused("empty")
    for signature, code in DANGERS.items():
        if head.startswith(signature):
            raise _refused(code)
    markup = MARKUP.match(head.removeprefix(b"\xef\xbb\xbf"))
    if markup and markup[2].lower() == b"svg":
        raise _refused("svg")
    if markup and markup[2].lower() in (b"html", b"head", b"body", b"script", b"iframe", b"meta", b"title"):
        raise _refused("web_page")


def _content_type(head: bytes, file: BinaryIO) -> str | None:
    if head.startswith(OLD_OFFICE):
        raise _refused("old_office")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return archive_type(file)
    # Some programs write an empty line or a byte order mark before a PDF's header, and readers pass over it.
    begun = head.lstrip(b"\xef\xbb\xbf\r\n\t ")
    return next(
        (kind for signature, kind in SIGNATURES.items() if (begun if kind == PDF else head).startswith(signature)), None
    )


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("C") and not character.isspace():
        return ""
    return " " if character.isspace() else character


def _shortened(stem: str, taken: int) -> str:
    stem = stem[: NAME_LENGTH - 1 - taken]
    while len(stem.encode()) > NAME_BYTES:
        stem = stem[:-1]
    return stem.rstrip(". ")


def _refused(code: str, **facts: str) -> DocumentRefused:
    return DocumentRefused(code, SENTENCES[code].format(**facts))
