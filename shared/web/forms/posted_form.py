"""A form that a person sent from a page: what was typed stays at hand whatever is wrong, to be shown again beside the reason."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar, get_args
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, field_errors
from shared.web.auth import csrf
from shared.web.forms.form_reader import receive_form
from shared.web.forms.multipart import FormLimits, is_multipart
from shared.web.forms.uploads import DUPLICATE_FIELD, Upload, field_values
from shared.web.http.body_limit import body_too_large

Model = TypeVar("Model", bound=BaseModel)

KEY, RESUME, BUTTON_FIELD = "_key", "_resume", "_do"
"""Fields of every form: what it is known by, that it only asks to be shown again, and the button that was pressed."""
RESERVED_FIELDS = frozenset({csrf.FIELD, KEY, RESUME, BUTTON_FIELD})
MOST_FILES = 40
URLENCODED_LIMIT = 1024 * 1024
"""Bytes of a form without files, which is read into memory; where files are sent to, a body may be much larger."""
_SECRET_FIELDS = ("password", "code")
_NUMBER = re.compile(r"[0-9]{1,9}")
_UNREADABLE = "Formulir ini tidak dapat dibaca. Muat ulang halaman, lalu isi kembali."


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that was sent before and waits for the rest of its form; `token` names it in the next try."""

    id: str
    name: str
    size: int
    token: str


@dataclass(frozen=True, slots=True)
class PostedForm:
    """A form's texts by name, its files, and what is wrong with it. Without a form (a page that is opened) all are empty."""

    key: str = ""
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    uploads: Sequence[Upload] = ()
    refused: Sequence[FieldError] = ()
    """Files that could not be taken in."""
    csrf: str = ""
    button: str = ""
    resumed: bool = False
    problem: Problem | None = None
    held: Mapping[str, Sequence[HeldFile]] = field(default_factory=dict)
    unsent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By field, the names of files that were chosen and have not arrived."""
    context: Mapping[str, str] | None = None
    """What validators may compare a field with."""

    @property
    def sent(self) -> bool:
        """There is something to show again."""
        return bool(self.texts) or self.problem is not None

    def text(self, name: str, default: object = "") -> str:
        """What was typed into a field; `default` if there was no such form."""
        if name in self.texts:
            return self.texts[name][0]
        return "" if self.texts else "" if default is None else str(default)

    def many(self, name: str) -> Sequence[str]:
        return self.texts.get(name, ())

    def error(self, name: str) -> str:
        """What is wrong with a field."""
        errors = self.problem.errors if self.problem else ()
        return next((error.message for error in errors if error.field == name), "")

    def validate(self, model: type[Model], *others: str, **more: object) -> Model:
        """The fields of a model, each converted from text; one that is left blank counts as not sent.

        `others` are names that the page reads itself, `more` are values that it made. Raises Problem 422.
        """
        given = {name: texts for name, texts in self.texts.items() if any(text.strip() for text in texts)}
        unknown = given.keys() - model.model_fields.keys() - set(others)
        taken = {name: texts for name, texts in given.items() if name in model.model_fields}
        values = {name: _coerce(model, name, value) for name, value in field_values(model, taken).items()}
        errors = [FieldError(name, "Isian ini tidak dikenal.") for name in sorted(unknown)]
        errors += [
            FieldError(name, DUPLICATE_FIELD)
            for name in taken
            if len(taken[name]) > 1 and not isinstance(values[name], list)
        ]
        try:
            validate = model.model_validate({**values, **more}, context=self.context)
        except ValidationError as error:
            raise validation_problem([*errors, *field_errors(error.errors())]) from error
        if errors:
            raise validation_problem(errors)
        return validate

    def with_context(self, context: Mapping[str, str]) -> PostedForm:
        """The form whose validators get this context."""
        return replace(self, context=context)

    def with_problem(self, problem: Problem) -> PostedForm:
        return replace(self, problem=problem)

    def restorable_fields(self) -> list[tuple[str, str]]:
        """What is given back after signing in again; passwords are not."""
        open_ones = (
            (name, texts) for name, texts in self.texts.items() if not any(one in name for one in _SECRET_FIELDS)
        )
        button = [(BUTTON_FIELD, self.button)] if self.button else []
        return [(KEY, self.key), *button, *((name, text) for name, texts in open_ones for text in texts)]


@asynccontextmanager
async def read_posted(request: Request, limits: FormLimits) -> AsyncIterator[PostedForm]:
    """The form of this request; its files are closed at the end. Raises Problem 400, 413, 415 and 422."""
    if is_multipart(request):
        async with receive_form(request, MOST_FILES, limits) as received:
            yield _parse(received.texts, received.uploads, received.errors)
    else:
        yield _parse(await _urlencoded(request, limits))


def _coerce(model: type[BaseModel], name: str, value: str | list[str]) -> str | int | list[str]:
    """A number where the model wants one and none that looks like it: forms know texts alone."""
    annotation = model.model_fields[name].annotation
    wants_number = annotation is int or int in get_args(annotation)
    return int(value) if wants_number and isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value


def group_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return texts


async def _urlencoded(request: Request, limits: FormLimits) -> Mapping[str, Sequence[str]]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > URLENCODED_LIMIT:
            raise body_too_large(URLENCODED_LIMIT)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=limits.fields, errors="strict")
    except ValueError as error:
        raise Problem(400, _UNREADABLE) from error
    return group_pairs((name, text.replace("\r\n", "\n")) for name, text in pairs)


def _parse(
    texts: Mapping[str, Sequence[str]], uploads: Sequence[Upload] = (), errors: Sequence[FieldError] = ()
) -> PostedForm:
    def reserved(name: str) -> str:
        return texts[name][0] if texts.get(name) else ""

    theirs = {name: given for name, given in texts.items() if name not in RESERVED_FIELDS}
    return PostedForm(
        key=reserved(KEY)[:200],
        texts=theirs,
        uploads=uploads,
        refused=errors,
        csrf=reserved(csrf.FIELD),
        button=reserved(BUTTON_FIELD),
        resumed=bool(reserved(RESUME)),
    )
