"""Input models that refuse unknown fields, and validation errors as messages for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.text.cleaning import clean_number

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


REQUIRED_MESSAGE, REQUIRED_FILE_MESSAGE = "Wajib diisi.", "Wajib diunggah."
"""Messages for an empty field, as shown beside it; `labelled_message` adds the label elsewhere."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """A message for people about one field; the field "" stands for the whole input."""

    field: str
    message: str


def labelled_message(label: str, message: str) -> str:
    """The message of a field for places where the field is not next to it."""
    if message in (REQUIRED_MESSAGE, REQUIRED_FILE_MESSAGE):
        return f"{label} {message[0].lower()}{message[1:]}"
    return message if label.lower() in message.lower() else f"{label}: {message}"


class InputModel(BaseModel):
    """Base of forms and queries: unknown fields are refused, and text is converted to the types of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RequestBody(InputModel):
    """Base of JSON bodies. Their numbers and booleans are declared with `strict=True`, so that text does not pass for them."""


class EmptyBody(RequestBody):
    """A body without fields, which may be left out."""


def _parse_iso_date(value: Any) -> Any:
    """Accept ISO dates only: pydantic would also accept seconds since 1970, as a number or as text."""
    cleaned = clean_number(value, ()) if isinstance(value, str) else ""
    if ISO_DATE.fullmatch(cleaned):
        return cleaned
    raise ValueError(_DATE)


IsoDate = Annotated[
    date, BeforeValidator(_parse_iso_date), Field(json_schema_extra={"pattern": f"^{ISO_DATE.pattern}$"})
]
"""A date written as 2026-03-31 in ASCII digits; surrounding spaces and typographic hyphens are accepted."""


def field_errors(errors: Iterable[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """Convert pydantic's errors, in order; only the first error of a field is kept."""
    by_field: dict[str, FieldError] = {}
    for error in errors:
        field = _field_path(error)
        by_field.setdefault(field, FieldError(field, error_message(error)))
    return tuple(by_field.values())


def error_message(error: Mapping[str, Any]) -> str:
    """The message for one of pydantic's errors: what is wrong, and what would be right."""
    entry = _MESSAGES.get(error["type"])
    if entry is None:
        return "Isian ini tidak dapat diterima."
    return entry if isinstance(entry, str) else entry(error.get("ctx") or {}, error.get("input"))


def _field_path(error: Mapping[str, Any]) -> str:
    location = error["loc"]
    if error["type"] == "json_invalid":
        return ""
    if location and location[0] in ("body", "query", "path", "header", "cookie"):
        location = location[1:]
    return ".".join(str(part) for part in location)


ErrorContext = Mapping[str, Any]
_INTEGER = "Isi dengan bilangan bulat."
_NUMBER = "Isi dengan angka."
_BOOLEAN = "Isi dengan true atau false."
_DATE = "Tulis tanggal dengan susunan tahun-bulan-hari, misalnya 2026-03-31."
_DATETIME = "Tulis waktu lengkap dengan zonanya, misalnya 2026-03-31T09:00:00+09:00."
_LIST = "Isi dengan daftar."
_OBJECT = "Isi dengan objek JSON."


def _too_short(context: ErrorContext, value: Any) -> str:
    minimum = context["min_length"]
    return (
        REQUIRED_MESSAGE if minimum == 1 else f"Tulis paling sedikit {minimum} huruf. Sekarang baru {_length(value)}."
    )


def _too_long(context: ErrorContext, value: Any) -> str:
    return f"Tulis paling banyak {context['max_length']} huruf. Sekarang {_length(value)}."


def _wrong_pattern(_context: ErrorContext, value: Any) -> str:
    return REQUIRED_MESSAGE if _length(value) == 0 else "Cara penulisannya belum sesuai."


def _too_few(context: ErrorContext, _value: Any) -> str:
    return f"Isi paling sedikit {context['min_length']}. Sekarang baru {context['actual_length']}."


def _too_many(context: ErrorContext, value: Any) -> str:
    return f"Isi paling banyak {context['max_length']}. Sekarang {context.get('actual_length') or _length(value)}."


def _choose_one(context: ErrorContext, _value: Any) -> str:
    choices = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    return f"Pilih salah satu: {', '.join(filter(None, choices))}."


def _validator_message(context: ErrorContext, _value: Any) -> str:
    """The message that a validator of ours raised."""
    return str(context.get("error") or "Isian ini tidak dapat diterima.")


def _length(value: Any) -> int:
    return len(value.strip() if isinstance(value, str) else value) if hasattr(value, "__len__") else 0


_MESSAGES: Mapping[str, str | Callable[[ErrorContext, Any], str]] = {
    "missing": REQUIRED_MESSAGE,
    "extra_forbidden": "Isian ini tidak dikenal.",
    "json_invalid": "Isi permintaan bukan JSON yang benar.",
    "string_type": "Isi dengan teks.",
    "string_unicode": "Teks ini memuat karakter yang tidak sah.",
    "string_too_short": _too_short,
    "string_too_long": _too_long,
    "string_pattern_mismatch": _wrong_pattern,
    "too_short": _too_few,
    "too_long": _too_many,
    "enum": _choose_one,
    "literal_error": _choose_one,
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _INTEGER),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number", "decimal_type", "decimal_parsing"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _BOOLEAN),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "timezone_aware"), _DATETIME),
    **dict.fromkeys(("uuid_type", "uuid_parsing"), "ID ini tidak sah."),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "dataclass_type"), _OBJECT),
    "greater_than": lambda context, _value: f"Isi dengan angka di atas {context['gt']}.",
    "greater_than_equal": lambda context, _value: f"Isi dengan angka paling kecil {context['ge']}.",
    "less_than": lambda context, _value: f"Isi dengan angka di bawah {context['lt']}.",
    "less_than_equal": lambda context, _value: f"Isi dengan angka paling besar {context['le']}.",
    "value_error": _validator_message,
}
