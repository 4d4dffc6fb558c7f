"""Renders what is to be told into a letter: subject, plain text and HTML. Values come from people and are never trusted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notification.email_texts import Language, Point, Text, read_language
from shared.office_contact import NO_CONTACT, OfficeContact
from shared.text.cleaning import remove_invisible
from shared.text.web_addresses import contains_web_address

_TEMPLATES = Path(__file__).parent / "templates"
_MAX_TEXT_LENGTH, _MAX_NAME_LENGTH = 4000, 200

_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x09\x0e-\x1f\x7f-\x9f\u180e\ud800-\udfff]")
_EMPLOYEE_NUMBER = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){17}(?!\d)")
_LINK = re.compile(r"https?://[^\s\"<>\\\x00-\x1f]+")
_NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")


class InvalidEmail(ValueError):
    """A letter that cannot be rendered: an unknown kind, or a value that is missing or of the wrong sort."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to tell whom. `name` is the recipient's, empty for everybody of a role; `scope` is `application` or `data`;
    `link` is where the reader goes on; `values` are those that KINDS names for the kind. Staff are told whose request it is,
    applicants how to reach the office.
    """

    kind: str
    name: str
    number: str
    scope: str
    link: str
    values: Mapping[str, Any]
    applicant: str = ""
    unit: str = ""
    office: OfficeContact = NO_CONTACT


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    subject: str
    text: str
    html: str


def words(value: Any) -> str:
    """What somebody wrote: lines kept, everything else that is not seen removed, no employee number let through."""
    lines = (_clean_line(line) for line in _LINE_END.split(_require_string(value)[:_MAX_TEXT_LENGTH]))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def name(value: Any) -> str:
    """A name, or anything else that belongs on one line."""
    return _clean_line(_LINE_END.sub(" ", _require_string(value)[:_MAX_NAME_LENGTH]))


def day(value: Any) -> str:
    """An ISO date, or a date."""
    return INDONESIAN.frame.date(value if isinstance(value, date) else date.fromisoformat(value))


def count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def percent(value: Any) -> int | None:
    """From 0 to 100, or None when nobody estimated it."""
    if value is not None and not 0 <= count(value) <= 100:
        raise ValueError
    return None if value is None else count(value)


def flag(value: Any) -> bool:
    if value is not True and value is not False:
        raise TypeError
    return value


def points(value: Any) -> tuple[Point, ...]:
    """A list of {item, note}, where `item` is the code of a checklist item."""
    titles = INDONESIAN.frame.items
    return tuple(Point(name(titles.get(each["item"], each["item"])), words(each["note"])) for each in value)


KINDS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "received": {"round": count},
    "verified": {},
    "returned": {"items": points, "respond_by": day},
    "reminder_return": {"respond_by": day},
    "expired": {},
    "rejected": {"reason": words},
    "assigned": {"lead": name, "contact": name, "target_date": day},
    "reassigned": {"lead": name, "contact": name, "target_date": day, "reason": words},
    "started": {"lead": name},
    "progress": {"note": words, "percent": percent},
    "paused": {"question": words, "answer_by": day},
    "reminder_answer": {"question": words, "answer_by": day},
    "resumed": {"target_date": day, "note": words},
    "delivered": {"summary": words, "documents": count, "confirm_by": day},
    "reminder_confirm": {"confirm_by": day},
    "contested": {},
    "completed": {"automatic": flag, "survey_until": day},
    "withdrawn": {},
    "link": {},
    "staff_submitted": {"unit": name, "description": words},
    "staff_resubmitted": {"unit": name, "round": count},
    "staff_verified": {"by": name},
    "staff_recommended": {"by": name, "reason": words},
    "staff_assigned": {"by": name, "target_date": day, "note": words},
    "staff_reassigned_new": {"by": name, "target_date": day, "reason": words},
    "staff_reassigned_old": {"by": name, "lead": name, "reason": words},
    "staff_withdrawn": {"reason": words},
    "staff_rejected": {"reason": words},
    "staff_answered": {"answer": words},
    "staff_contested": {"reason": words},
}
"""The values that each kind of letter takes, and how they are read. A text may be empty; what says nothing is left out.

An applicant's own words are not mailed to the applicant: whose address that is, nobody has proven.
"""

OFFICE = "office"
"""Among the values of every letter, whether the office can be reached."""

CASES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "received": lambda values: "again" if values["round"] > 1 else "",
    "progress": lambda values: "measured" if values["percent"] is not None else "",
    "completed": lambda values: "automatic" if values["automatic"] else "",
    "withdrawn": lambda values: "reachable" if values[OFFICE] else "",
}
"""Which sentences a letter is written with, where it may be one of several."""


def render(content: Letter) -> RenderedEmail:
    """The letter in Bahasa Indonesia. Raises BadLetter."""
    values, text = _read(content)
    frame = INDONESIAN.frame
    context = {
        "frame": frame,
        "text": text,
        "preview": text.preview.text(values),
        "blocks": text.blocks(values),
        "greeting": frame.greeting.format(name=_addressee(content.name) or text.somebody),
        "number": content.number,
        "about": ", ".join(filter(None, (name(content.applicant), name(content.unit)))),
        "office": content.office,
        "scope": frame.scopes.get(content.scope, ""),
        "link": content.link,
    }
    subject = f"[{content.number}] {text.subject}"
    return RenderedEmail(subject, _TEXT.render(context), _HTML.render(context, subject=subject))


def _addressee(written: str) -> str:
    """A name that holds a web address was written by somebody who wants it mailed."""
    return "" if contains_web_address(written) else name(written)


def _read(content: Letter) -> tuple[dict[str, Any], Text]:
    if (readers := KINDS.get(content.kind)) is None:
        raise InvalidEmail(f"there is no letter of the kind {content.kind!r}")
    if not _LINK.fullmatch(content.link) or not _NUMBER.fullmatch(content.number):
        raise InvalidEmail(f"{content.kind} needs a link and a registration number")
    values = {key: _value(content, key, read) for key, read in readers.items()}
    if "items" in values:
        values["items_count"] = INDONESIAN.frame.count(len(values["items"]))
    values[OFFICE] = bool(content.office)
    case = CASES[content.kind](values) if content.kind in CASES else ""
    return values, INDONESIAN.texts[content.kind, case]


def _value(content: Letter, key: str, read: Callable[[Any], Any]) -> Any:
    if key not in content.values:
        raise InvalidEmail(f"{content.kind} needs {key}")
    try:
        return read(content.values[key])
    except (TypeError, ValueError, KeyError, AttributeError):
        raise InvalidEmail(f"{key} of {content.kind} is not a {read.__name__}") from None


def _require_string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _clean_line(line: str) -> str:
    seen = remove_invisible(_CONTROLS.sub("", line.replace("\t", " ")))
    return _EMPLOYEE_NUMBER.sub(INDONESIAN.frame.hidden, " ".join(seen.split()))


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


INDONESIAN: Language = read_language(_TEMPLATES / "indonesian.toml")
_HTML = _environment().get_template("letter.html")
_TEXT = _environment().get_template("letter.txt")
