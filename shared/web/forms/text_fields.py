"""Validators that clean text before it is validated, for forms and for the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BeforeValidator

from shared.text.cleaning import (
    ControlCharacter,
    clean_email,
    clean_line,
    clean_number,
    clean_paragraphs,
    clean_phone,
    remove_invisible,
)

CONTROL_IN_LINE = "Isian ini memuat ganti baris atau karakter kendali yang tidak diterima."
CONTROL_IN_PARAGRAPHS = "Isian ini memuat karakter kendali yang tidak diterima."
MAX_CLEANED_LENGTH = 20_000
"""Longer text is not cleaned, because every field refuses it anyway."""


def _cleaned_by(clean: Callable[[str], str], message: str = "") -> BeforeValidator:
    """A validator that cleans text and leaves other values to the validators that follow."""

    def cleaned(value: Any) -> Any:
        if not isinstance(value, str) or len(value) > MAX_CLEANED_LENGTH:
            return value
        try:
            return clean(value)
        except ControlCharacter as error:
            raise ValueError(message) from error

    return BeforeValidator(cleaned)


CLEAN_LINE = _cleaned_by(clean_line, CONTROL_IN_LINE)
CLEAN_PARAGRAPHS = _cleaned_by(clean_paragraphs, CONTROL_IN_PARAGRAPHS)
CLEAN_NUMBER = _cleaned_by(clean_number)
CLEAN_PHONE = _cleaned_by(clean_phone)
CLEAN_EMAIL = _cleaned_by(clean_email)
STRIP_INVISIBLE = _cleaned_by(remove_invisible)
"""For user names and codes that must match exactly: only invisible characters are removed."""
