"""Kinds of text that a form, a query or a body may hold: each is cleaned before it is judged, for pages and programs alike."""

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
"""Characters up to which a text is cleaned; no field takes so many, and what is longer is refused as it is."""


def _cleaned_by(clean: Callable[[str], str], message: str = "") -> BeforeValidator:
    """What is no text is left to the validators that follow."""

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
"""For names and codes that must be written exactly: nothing but what nobody sees is taken away."""
