"""A date in three fields of a page: day, month and year; the API takes the same date as one ISO text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from shared.text.cleaning import clean_number
from shared.web.forms.posted_form import PostedForm
from shared.web.views.formats import MONTHS
from shared.web.views.words import load_words

PARTS = ("day", "month", "year")
_words = load_words("shared.web.views").date


def join_date(posted: PostedForm, name: str) -> PostedForm:
    """Return the form with the fields `name_day`, `name_month` and `name_year` joined to the ISO date `name`.

    A date with an empty part counts as missing, and one that is not in the calendar as invalid. A form without these fields is
    returned unchanged.
    """
    fields = [f"{name}_{part}" for part in PARTS]
    if not any(field in posted.texts for field in fields):
        return posted
    parts = _parts(posted, name)
    texts: dict[str, Sequence[str]] = {key: value for key, value in posted.texts.items() if key not in fields}
    day = _parse(parts)
    texts[name] = [day.isoformat() if day else " ".join(parts) if all(parts) else ""]
    return replace(posted, texts=texts)


def date_error(posted: PostedForm, name: str) -> str:
    """Return what is wrong with a date in three fields, "" if they form a date or none of them is filled."""
    parts = _parts(posted, name)
    if not any(parts) or _parse(parts):
        return ""
    missing = [_words.parts[part] for part, text in zip(PARTS, parts, strict=True) if not text]
    if missing:
        return str(_words.missing).format(parts=str(_words.join).join(missing))
    day, month, year = parts
    shown = MONTHS[int(month) - 1] if month.isdigit() and 1 <= int(month) <= len(MONTHS) else month
    return str(_words.impossible).format(date=f"{day} {shown} {year}")


def _parts(posted: PostedForm, name: str) -> list[str]:
    return [clean_number(posted.text(f"{name}_{part}")).strip() for part in PARTS]


def _parse(parts: Sequence[str]) -> date | None:
    if not all(part.isascii() and part.isdigit() and len(part) <= len("2026") for part in parts):
        return None
    day, month, year = (int(part) for part in parts)
    try:
        return date(year, month, day)
    except ValueError:
        return None
