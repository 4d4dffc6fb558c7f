"""The texts of emails in one language, parsed from a file of `templates/`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

_SLOT = re.compile(r"(\*\*)?\{(\w+)\}([^*{}]*)(?(1)\*\*)")


@dataclass(frozen=True, slots=True)
class Point:
    """A thing that has to be done, and what was noted on it."""

    title: str
    note: str


SlotValue = str | int | None | tuple[Point, ...]
SlotValues = Mapping[str, SlotValue]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a paragraph; a strong one is set in bold."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    spans: list[Span]


@dataclass(frozen=True, slots=True)
class Points:
    kind: ClassVar[str] = "points"
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Quote:
    """What a person wrote, set apart so that it cannot be mistaken for words of the office."""

    kind: ClassVar[str] = "quote"
    label: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Facts:
    kind: ClassVar[str] = "facts"
    rows: list[tuple[str, str]]


Block = Paragraph | Points | Quote | Facts


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value, with text that follows it in the same span."""

    name: str
    after: str
    strong: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with slots. Values are inserted as they are and never parsed for further slots."""

    parts: tuple[str | Slot, ...]

    def text(self, values: SlotValues) -> str:
        return "".join(span.text for span in self.spans(values))

    def spans(self, values: SlotValues) -> list[Span]:
        return [
            Span(part) if isinstance(part, str) else Span(f"{values[part.name]}{part.after}", part.strong)
            for part in self.parts
        ]

    def block(self, values: SlotValues) -> Paragraph:
        return Paragraph(self.spans(values))

    @property
    def slots(self) -> set[str]:
        return {part.name for part in self.parts if isinstance(part, Slot)}


@dataclass(frozen=True, slots=True)
class PointsPart:
    of: str

    def block(self, values: SlotValues) -> Points:
        points = values[self.of]
        if not isinstance(points, tuple):
            raise TypeError(f"{self.of} is not a list of points")
        return Points(points)

    @property
    def slots(self) -> set[str]:
        return {self.of}


@dataclass(frozen=True, slots=True)
class QuotePart:
    label: str
    of: str

    def block(self, values: SlotValues) -> Quote | None:
        text = values[self.of]
        return Quote(self.label, str(text).split("\n")) if text else None

    @property
    def slots(self) -> set[str]:
        return {self.of}


@dataclass(frozen=True, slots=True)
class FactsPart:
    """A table of facts, each with the label and the name of its value."""

    rows: tuple[tuple[str, str], ...]

    def block(self, values: SlotValues) -> Facts:
        return Facts([(label, str(values[name])) for label, name in self.rows if values[name]])

    @property
    def slots(self) -> set[str]:
        return {name for _, name in self.rows}


BodyPart = Sentence | PointsPart | QuotePart | FactsPart


def parse_sentence(text: str) -> Sentence:
    """Parse `Mohon dijawab paling lambat **{answer_by}**.`; text after a value and before the closing stars is strong too."""
    parts: list[str | Slot] = []
    end = 0
    for found in _SLOT.finditer(text):
        strong, name, after = bool(found[1]), found[2], found[3] if found[1] else ""
        stop = found.end() if strong else found.end() - len(found[3])
        parts += [text[end : found.start()], Slot(name, after, strong)]
        end = stop
    return Sentence(tuple(part for part in (*parts, text[end:]) if part))


@dataclass(frozen=True, slots=True)
class EmailText:
    """The text of one kind of email; `default_name` addresses recipients without a name.

    `status` is a code, "" for the status that the request has when the email is sent.
    """

    subject: str
    heading: str
    preview: Sentence
    next: Sentence
    body: tuple[BodyPart, ...]
    button: str
    thanks: str
    footer: str
    default_name: str
    status: str = ""

    def blocks(self, values: SlotValues) -> list[Block]:
        """Return the body with its values; quotes without text are left out."""
        return [block for part in self.body if (block := part.block(values)) is not None]

    @property
    def slots(self) -> set[str]:
        """The names of the values that the text needs."""
        return self.preview.slots.union(self.next.slots, *(part.slots for part in self.body))


@dataclass(frozen=True, slots=True)
class Frame:
    """The texts around every email, and the formats of days and small numbers."""

    language: str
    days: Sequence[str]
    months: Sequence[str]
    day: str
    counts: Sequence[str]
    greeting: str
    number: str
    status: str
    next: str
    applicant: str
    fallback: str
    hidden: str
    office: Sequence[str]
    contact: str
    contact_ways: Mapping[str, str]
    tagline: str
    default_name: str
    scopes: Mapping[str, str]
    items: Mapping[str, str]
    statuses: Mapping[str, str]
    stages: Mapping[str, str]
    working_days: str
    digest: Mapping[str, str]
    to_applicant: Mapping[str, str] = field(repr=False)
    to_staff: Mapping[str, str] = field(repr=False)

    def date(self, day: date) -> str:
        """Format a date as `Senin, 7 Desember 2026`."""
        weekday, month = self.days[day.weekday()], self.months[day.month - 1]
        return self.day.format(weekday=weekday, day=day.day, month=month, year=day.year)

    def count(self, number: int) -> str:
        """Format a small number in words."""
        return self.counts[number] if 0 <= number < len(self.counts) else str(number)


@dataclass(frozen=True, slots=True)
class Language:
    """Texts by kind and case; the default case is ""."""

    frame: Frame
    texts: Mapping[tuple[str, str], EmailText]


def read_language(path: Path) -> Language:
    """Read the texts of a language. Raises ValueError, TypeError or KeyError for an invalid file."""
    tables = tomllib.loads(path.read_text("utf-8"))
    frame = Frame(**tables.pop("frame"))
    texts: dict[tuple[str, str], EmailText] = {}
    for kind, table in tables.items():
        cases = {name: table.pop(name) for name in [*table] if isinstance(table[name], dict)}
        defaults = {**(frame.to_staff if kind.startswith("staff_") else frame.to_applicant), **table}
        for case, changes in {"": {}, **cases}.items():
            texts[kind, case] = _parse_text(frame, defaults | changes)
    return Language(frame, texts)


def _parse_text(frame: Frame, table: Mapping[str, Any]) -> EmailText:
    parsed = {
        "preview": parse_sentence(table["preview"]),
        "next": parse_sentence(table["next"]),
        "body": tuple(map(_parse_body_part, table["body"])),
    }
    return EmailText(**{"default_name": frame.default_name, **table, **parsed})


def _parse_body_part(part: object) -> BodyPart:
    match part:
        case str():
            return parse_sentence(part)
        case {"points": str(name)}:
            return PointsPart(name)
        case {"quote": str(label), "of": str(name)}:
            return QuotePart(label, name)
        case {"facts": [*rows]}:
            return FactsPart(tuple((label, name) for label, name in rows))
    raise ValueError(f"{part} is not a part of an email")
