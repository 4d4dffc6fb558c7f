"""Rendering of emails: subject, plain text and HTML. Values come from users and are not trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notification.domain.applicant_emails import (
    CompletedEmail,
    MissingItem,
    ProgressEmail,
    ReceivedEmail,
    ReturnedEmail,
    WithdrawnEmail,
)
from services.notification.domain.emails import Parameters, UnknownEmail
from services.notification.domain.staff_emails import StaffOverdueEmail
from services.notification.email_texts import Block, EmailText, Language, Point, SlotValue, SlotValues, read_language
from shared.office_contact import NO_CONTACT, OfficeContact
from shared.text.cleaning import remove_invisible
from shared.text.web_addresses import contains_web_address

_TEMPLATES = Path(__file__).parent / "templates"
_MAX_TEXT_LENGTH, _MAX_NAME_LENGTH = 4000, 200
ONE_LINE_FIELDS = frozenset({"lead", "by", "unit", "lead_username"})

_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x09\x0e-\x1f\x7f-\x9f\u180e\ud800-\udfff]")
_EMPLOYEE_NUMBER = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){17}(?!\d)")
_LINK = re.compile(r"https?://[^\s\"<>\\\x00-\x1f]+")
_NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")


class InvalidEmail(ValueError):
    """An email that cannot be rendered. The message names the value that is wrong."""


@dataclass(frozen=True, slots=True)
class EmailContent:
    """What an email is rendered from.

    `name` is the recipient's, empty for all members of a role; `scope` is `application` or `data`; `link` is the URL of the
    button; `contact` is the email address of the lead. `applicant` and `unit` are shown to staff, `office` to applicants.
    """

    parameters: Parameters
    name: str
    number: str
    scope: str
    link: str
    contact: str = ""
    applicant: str = ""
    unit: str = ""
    office: OfficeContact = NO_CONTACT
    status: str = ""


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    subject: str
    text: str
    html: str


def render(content: EmailContent) -> RenderedEmail:
    """Render an email in Bahasa Indonesia. Raises InvalidEmail."""
    _validate(content)
    values, text, frame = _slot_values(content), _select_text(content), INDONESIAN.frame
    context = {
        "frame": frame,
        "text": text,
        "preview": text.preview.text(values),
        "blocks": text.blocks(values),
        "summary": _summary(content, text, values),
        "greeting": frame.greeting.format(name=_addressee(content.name) or text.default_name),
        "about": ", ".join(filter(None, (_clean_name(content.applicant), _clean_name(content.unit)))),
        "office": content.office,
        "link": content.link,
    }
    subject = f"[{content.number}] {text.subject}"
    return RenderedEmail(subject, _TEXT.render(context), _HTML.render(context, subject=subject))


def render_frame(
    *,
    subject: str,
    heading: str,
    preview: str,
    name: str,
    summary: Sequence[tuple[str, str]],
    blocks: Sequence[Block],
    button: str,
    link: str,
) -> RenderedEmail:
    """Render an email to staff that is not about a single request. Raises InvalidEmail."""
    if not _LINK.fullmatch(link):
        raise InvalidEmail("the email needs a link")
    frame = INDONESIAN.frame
    context = {
        "frame": frame,
        "text": {**frame.to_staff, "heading": heading, "button": button},
        "preview": preview,
        "blocks": blocks,
        "summary": summary,
        "greeting": frame.greeting.format(name=_addressee(name) or frame.default_name),
        "about": "",
        "office": NO_CONTACT,
        "link": link,
    }
    return RenderedEmail(subject, _TEXT.render(context), _HTML.render(context, subject=subject))


def _summary(content: EmailContent, text: EmailText, values: SlotValues) -> list[tuple[str, str]]:
    """Return the three facts at the top: number, status, and the next step with its date."""
    frame, scope = INDONESIAN.frame, INDONESIAN.frame.scopes.get(content.scope, "")
    status = text.status or content.status
    rows = [
        (frame.number, ", ".join(filter(None, (content.number, scope)))),
        (frame.status, frame.statuses.get(status, "")),
        (frame.next, text.next.text(values)),
    ]
    return [(label, value) for label, value in rows if value]


def _validate(content: EmailContent) -> None:
    if not _LINK.fullmatch(content.link) or not _NUMBER.fullmatch(content.number):
        raise InvalidEmail(f"{content.parameters.kind} needs a link and a registration number")
    match content.parameters:
        case ProgressEmail(percent=int(percent)) if not 0 <= percent <= 100:
            raise InvalidEmail("percent is not between 0 and 100")
        case UnknownEmail(problem=problem):
            raise InvalidEmail(problem)


def _slot_values(content: EmailContent) -> dict[str, SlotValue]:
    parameters = content.parameters
    values = {field.name: _format(field.name, getattr(parameters, field.name)) for field in fields(parameters)}
    if isinstance(parameters, StaffOverdueEmail):
        values["stage"] = INDONESIAN.frame.stages.get(parameters.stage, parameters.stage)
        values["overdue_days"] = INDONESIAN.frame.working_days.format(count=parameters.overdue_days)
    values["contact"] = _clean_name(content.contact)
    if isinstance(parameters, ReturnedEmail):
        values["items_count"] = INDONESIAN.frame.count(len(parameters.items))
    return values


def _format(name: str, value: str | int | date | tuple[MissingItem, ...] | None) -> SlotValue:
    match value:
        case date():
            return INDONESIAN.frame.date(value)
        case str():
            return _clean_name(value) if name in ONE_LINE_FIELDS else clean_text(value)
        case tuple():
            titles = INDONESIAN.frame.items
            return tuple(Point(_clean_name(titles.get(i.item, i.item)), clean_text(i.note)) for i in value)
        case _:
            return value


def _select_text(content: EmailContent) -> EmailText:
    case = ""
    match content.parameters:
        case ReceivedEmail(round=number) if number > 1:
            case = "again"
        case ProgressEmail(percent=int()):
            case = "measured"
        case CompletedEmail(automatic=True):
            case = "automatic"
        case StaffOverdueEmail(others=int(others)) if others:
            case = "several"
        case WithdrawnEmail() if content.office:
            case = "reachable"
    return INDONESIAN.texts[content.parameters.kind, case]


def _addressee(name: str) -> str:
    """Return the name, or "" if it contains a web address: its writer wants that to be mailed."""
    return "" if contains_web_address(name) else _clean_name(name)


def clean_text(text: str) -> str:
    """Keep lines, remove everything else that is invisible, and mask employee numbers."""
    lines = (_clean_line(line) for line in _LINE_END.split(text[:_MAX_TEXT_LENGTH]))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _clean_name(text: str) -> str:
    return _clean_line(_LINE_END.sub(" ", text[:_MAX_NAME_LENGTH]))


def _clean_line(line: str) -> str:
    visible = remove_invisible(_CONTROLS.sub("", line.replace("\t", " ")))
    return _EMPLOYEE_NUMBER.sub(INDONESIAN.frame.hidden, " ".join(visible.split()))


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
_HTML = _environment().get_template("email.html")
_TEXT = _environment().get_template("email.txt")
