"""Valid usernames and names of staff."""

from __future__ import annotations

import re

from shared.text.cleaning import ControlCharacter, clean_line

USERNAME = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
MAX_USERNAME_LENGTH, MAX_NAME_LENGTH = 32, 100
_RESERVED = frozenset({"baru"})
"""Usernames that would clash with paths of pages."""


def validate_username(text: str) -> str | None:
    """Return what is wrong with a username (in Indonesian), None if it is valid."""
    if not 3 <= len(text) <= MAX_USERNAME_LENGTH:
        return "Nama pengguna terdiri atas 3 sampai 32 karakter."
    if USERNAME.fullmatch(text) is None:
        return "Nama pengguna memakai huruf kecil, angka, titik, dan tanda hubung, serta dimulai dengan huruf."
    return "Nama pengguna ini dipakai oleh sistem. Pilih nama yang lain." if text in _RESERVED else None


def validate_person_name(text: str) -> str | None:
    """Return what is wrong with a person's name (in Indonesian), None if it is valid."""
    try:
        cleaned = clean_line(text)
    except ControlCharacter:
        return "Nama tidak boleh memuat ganti baris atau karakter kendali."
    return None if 0 < len(cleaned) <= MAX_NAME_LENGTH else "Nama wajib diisi, paling panjang 100 karakter."
