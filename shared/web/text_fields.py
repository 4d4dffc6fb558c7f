"""Kinds of text that a form, a query or a body may hold: each is cleaned before it is judged, for pages and programs alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BeforeValidator

from shared.text_cleaning import (
    ControlCharacter,
    clean_email,
    clean_line,
    clean_number,
    clean_paragraphs,
    clean_phone,
    without_invisible,
)

CONTROL_IN_LINE = "Isian ini memuat ganti baris atau karakter kendali yang tidak diterima."
CONTROL_IN_PARAGRAPHS = "Isian ini memuat karakter kendali yang tidak diterima."
LONGEST = 20_000
"""Characters up to which a text is cleaned; no field takes so many, and what is longer is refused as it is."""


def _cleaning(clean: Callable[[str], str], sentence: str = "") -> BeforeValidator:
    """What is no text is left to the validators that follow."""

    def cleaned(written: Any) -> Any:
        if not isinstance(written, str) or len(written) > LONGEST:
            return written
        try:
            return clean(written)
        except ControlCharacter as error:
            raise ValueError(sentence) from error

    return BeforeValidator(cleaned)


LINE = _cleaning(clean_line, CONTROL_IN_LINE)
PARAGRAPHS = _cleaning(clean_paragraphs, CONTROL_IN_PARAGRAPHS)
NUMBER = _cleaning(clean_number)
PHONE = _cleaning(clean_phone)
EMAIL = _cleaning(clean_email)
INVISIBLE = _cleaning(without_invisible)
"""For names and codes that must be written exactly: nothing but what nobody sees is taken away."""
