"""A language: the sentences of one file in templates/, read and checked once, and the pieces that letters are put together from."""

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
class Piece:
    """Some words of a sentence; strong ones should be found at once by the eye."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that is to be done, and what about it."""

    title: str
    note: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    shape: ClassVar[str] = "paragraph"
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Points:
    shape: ClassVar[str] = "points"
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Quote:
    """What a person wrote, set apart so that it cannot pass for the words of the office."""

    shape: ClassVar[str] = "quote"
    label: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Facts:
    shape: ClassVar[str] = "facts"
    rows: list[tuple[str, str]]


Block = Paragraph | Points | Quote | Facts
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    after: str
    strong: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words with places for values. A value is put in as it is and never read for further places."""

    parts: tuple[str | Slot, ...]

    def pieces(self, values: Values) -> list[Piece]:
        return [
            Piece(part) if isinstance(part, str) else Piece(f"{values[part.name]}{part.after}", part.strong)
            for part in self.parts
        ]

    def text(self, values: Values) -> str:
        return "".join(part if isinstance(part, str) else f"{values[part.name]}{part.after}" for part in self.parts)

    def names(self) -> set[str]:
        return {part.name for part in self.parts if isinstance(part, Slot)}


def parse_sentence(text: str) -> Sentence:
    """Read `Mohon dijawab paling lambat **{answer_by}**.`; what stands between the stars after a value is strong too."""
    parts: list[str | Slot] = []
    end = 0
    for found in _SLOT.finditer(text):
        strong, name, after = bool(found[1]), found[2], found[3] if found[1] else ""
        stop = found.end() if strong else found.end() - len(found[3])
        parts += [text[end : found.start()], Slot(name, after, strong)]
        end = stop
    return Sentence(tuple(part for part in (*parts, text[end:]) if part))


@dataclass(frozen=True, slots=True)
class Text:
    """The sentences of one letter. `body` holds sentences and the shapes that values are shown in."""

    subject: str
    heading: str
    preview: Sentence
    body: tuple[Sentence | Mapping[str, Any], ...]
    button: str
    thanks: str
    footer: str
    somebody: str

    def blocks(self, values: Values) -> list[Block]:
        """The body with its values; what says nothing is left out."""
        return [block for part in self.body if (block := _block(part, values)) is not None]

    def names(self) -> set[str]:
        """The values that it cannot do without."""
        bodies = (part.names() if isinstance(part, Sentence) else _named(part) for part in self.body)
        return self.preview.names().union(*bodies)


def _block(part: Sentence | Mapping[str, Any], values: Values) -> Block | None:
    match part:
        case Sentence():
            return Paragraph(part.pieces(values))
        case {"points": name}:
            return Points(values[name])
        case {"quote": label, "of": name}:
            return Quote(label, values[name].split("\n")) if values[name] else None
        case {"facts": rows}:
            return Facts([(label, str(values[name])) for label, name in rows if values[name]])
    raise ValueError(f"{part} is no part of a letter")


def _named(part: Mapping[str, Any]) -> set[str]:
    return {part["of"]} if "quote" in part else {part["points"]} if "points" in part else {n for _, n in part["facts"]}


@dataclass(frozen=True, slots=True)
class Frame:
    """The words around every letter, and how days and small numbers are written."""

    language: str
    days: Sequence[str]
    months: Sequence[str]
    day: str
    counts: Sequence[str]
    greeting: str
    number: str
    applicant: str
    fallback: str
    hidden: str
    office: Sequence[str]
    contact: str
    contact_ways: Mapping[str, str]
    tagline: str
    somebody: str
    scopes: Mapping[str, str]
    items: Mapping[str, str]
    to_applicant: Mapping[str, str] = field(repr=False)
    to_staff: Mapping[str, str] = field(repr=False)

    def date(self, day: date) -> str:
        """Senin, 7 Desember 2026."""
        weekday, month = self.days[day.weekday()], self.months[day.month - 1]
        return self.day.format(weekday=weekday, day=day.day, month=month, year=day.year)

    def count(self, number: int) -> str:
        """A small number in words, as one writes in a letter."""
        return self.counts[number] if 0 <= number < len(self.counts) else str(number)


@dataclass(frozen=True, slots=True)
class Language:
    """`texts` finds a letter's sentences by (kind, case); the usual case is the empty one."""

    frame: Frame
    texts: Mapping[tuple[str, str], Text]


def read_language(path: Path) -> Language:
    """Read a language. Raises ValueError or TypeError for a file that is not one."""
    tables = tomllib.loads(path.read_text("utf-8"))
    frame = Frame(**tables.pop("frame"))
    texts: dict[tuple[str, str], Text] = {}
    for kind, table in tables.items():
        cases = {name: table.pop(name) for name in [*table] if isinstance(table[name], dict)}
        usual = {**(frame.to_staff if kind.startswith("staff_") else frame.to_applicant), **table}
        for case, changes in {"": {}, **cases}.items():
            texts[kind, case] = _text(frame, usual | changes)
    return Language(frame, texts)


def _text(frame: Frame, table: Mapping[str, Any]) -> Text:
    body = tuple(parse_sentence(part) if isinstance(part, str) else part for part in table["body"])
    return Text(**{"somebody": frame.somebody, **table, "preview": parse_sentence(table["preview"]), "body": body})
