"""Validation of email addresses in forms."""

from __future__ import annotations

import re

from pydantic import JsonValue

MAX_LENGTH, MAX_LOCAL_PART_LENGTH = 254, 64
"""Limits of RFC 5321, section 4.5.3.1, with erratum 1690."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?P<name>{_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+(?=[A-Za-z]){_LABEL}")


EMAIL_SCHEMA: dict[str, JsonValue] = {"format": "email", "maxLength": MAX_LENGTH}
"""JSON schema of an address for the OpenAPI document."""


def validate_email_address(text: str) -> str | None:
    """Return what is wrong with an email address (in Indonesian), None if it is valid."""
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u2028\u2029" for letter in text):
        return "Alamat surel tidak boleh memuat ganti baris atau karakter kendali."
    if len(text) > MAX_LENGTH:
        return f"Alamat surel paling panjang {MAX_LENGTH} karakter."
    found = _ADDRESS.fullmatch(text)
    if found is None or len(found["name"]) > MAX_LOCAL_PART_LENGTH:
        return "Alamat surel tidak dikenali. Contoh yang benar: nama@dinas.example."
    return None
