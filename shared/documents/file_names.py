"""Sanitizes file names for storage, display and the Content-Disposition header."""

from __future__ import annotations

import re
import string
import unicodedata
from urllib.parse import quote

MAX_NAME_CHARACTERS = 120
MAX_NAME_BYTES = 240
"""Most file systems limit a name to 255 bytes."""
MAX_EXTENSION_CHARACTERS = 10
DEFAULT_NAME = "dokumen"

_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_PLAIN = frozenset(string.ascii_letters + string.digits + " -_.,()[]+=@~#&")
"""Characters that every program reads literally in a quoted header string."""


def safe_name(raw: str) -> str:
    """Return a name that is safe in file systems, headers, logs and pages: at most 120 characters, with its extension."""
    last = unicodedata.normalize("NFC", raw[-10_000:]).replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(_sanitize(character) for character in last).translate(_FORBIDDEN)
    name = " ".join(visible.split()).rstrip(". ")
    stem, dot, extension = name.rpartition(".")
    if not dot or not 1 <= len(extension) <= MAX_EXTENSION_CHARACTERS or extension.startswith(" "):
        stem, dot, extension = name, "", ""
    stem = _truncate(stem.strip(". "), len(dot + extension)) or DEFAULT_NAME
    whole = unicodedata.normalize("NFC", f"{stem}{dot}{extension.strip()}")
    return f"_{whole}" if _RESERVED.match(whole) else whole


def extension_of(name: str) -> str:
    """Return the extension of a name in lower case; "" if it has none, as in "Surat no. 12.2026"."""
    extension = safe_name(name).rpartition(".")[2].lower() if "." in name else ""
    usual = len(extension) <= 5 and extension.isascii() and extension.isalnum() and not extension.isdecimal()
    return extension if usual else ""


def with_extension(name: str, extension: str) -> str:
    """Return the safe name, with this extension if it has none."""
    if extension_of(name):
        return safe_name(name)
    stem = safe_name(name)[: MAX_NAME_CHARACTERS - len(extension) - 1]
    return safe_name(f"{stem.rstrip('. ')}.{extension}")


def content_disposition(name: str) -> str:
    """Return the header value (RFC 6266, RFC 8187); always an attachment."""
    harmless = safe_name(name)
    plain = " ".join("".join(_to_ascii(character) for character in harmless).split())
    plain = plain if plain.strip(". ") and not plain.startswith(".") else f"{DEFAULT_NAME}{plain}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(harmless, safe='')}"


def _to_ascii(character: str) -> str:
    """Return the ASCII replacement of a character.

    The replacement is checked after normalization, which turns full-width quotes, dots and semicolons into ASCII ones.
    """
    if character.isascii():
        return character if character in _PLAIN else "_"
    folded = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return folded if not folded or folded.isalnum() else "_"


def _sanitize(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("C") and not character.isspace():
        return ""
    return " " if character.isspace() else character


def _truncate(stem: str, taken: int) -> str:
    stem = stem[: MAX_NAME_CHARACTERS - 1 - taken]
    while len(stem.encode()) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem.rstrip(". ")
