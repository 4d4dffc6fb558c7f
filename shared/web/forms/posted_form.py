"""A form that was sent from a page; what was typed is kept, so that it can be shown again with its errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar, get_args
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from shared.text.cleaning import parse_number
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, field_errors
from shared.web.auth import csrf
from shared.web.forms.form_reader import receive_form
from shared.web.forms.multipart import FormLimits, is_multipart
from shared.web.forms.uploads import DUPLICATE_FIELD, Upload, field_values
from shared.web.http.body_limit import body_too_large

Model = TypeVar("Model", bound=BaseModel)

KEY_FIELD, RESUME_FIELD, BUTTON_FIELD = "_key", "_resume", "_do"
"""Fields of every form: its idempotency key, the request to be shown again only, and the button that was pressed."""
RESERVED_FIELDS = frozenset({csrf.FIELD, KEY_FIELD, RESUME_FIELD, BUTTON_FIELD})
MAX_FILES = 40
MAX_URLENCODED_BYTES = 1024 * 1024
"""Bytes of a form without files, which is read into memory; on upload routes a body may be much larger."""
_SECRET_FIELDS = ("password", "code")
_UNREADABLE = "Formulir ini tidak dapat dibaca. Muat ulang halaman, lalu isi kembali."


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that was uploaded before its form; `token` names it when the form is sent again."""

    id: str
    name: str
    size: int
    token: str


@dataclass(frozen=True, slots=True)
class PostedForm:
    """Texts by field, files and errors of a form; all empty for a page that is only opened."""

    key: str = ""
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    uploads: Sequence[Upload] = ()
    refused: Sequence[FieldError] = ()
    """Errors of files that were refused while the form was read."""
    csrf: str = ""
    button: str = ""
    resumed: bool = False
    problem: Problem | None = None
    held: Mapping[str, Sequence[HeldFile]] = field(default_factory=dict)
    unsent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of chosen files that have not arrived, by field."""
    context: Mapping[str, str] | None = None
    """Passed to the validators of a model."""

    @property
    def sent(self) -> bool:
        """Whether there is something to show again."""
        return bool(self.texts) or self.problem is not None

    def text(self, name: str, default: object = "") -> str:
        """Return what was typed into a field; `default` if no form was sent."""
        if name in self.texts:
            return self.texts[name][0]
        return "" if self.texts else "" if default is None else str(default)

    def many(self, name: str) -> Sequence[str]:
        return self.texts.get(name, ())

    def error(self, name: str) -> str:
        """Return the error of a field, "" without one."""
        errors = self.problem.errors if self.problem else ()
        return next((error.message for error in errors if error.field == name), "")

    def validate(self, model: type[Model], *others: str, **more: object) -> Model:
        """Validate the form as a model, with each field converted from text; a blank field counts as missing.

        `others` are fields that the page reads itself, `more` are values that the page adds. Raises: Problem 422.
        """
        given = {name: texts for name, texts in self.texts.items() if any(text.strip() for text in texts)}
        unknown = given.keys() - model.model_fields.keys() - set(others)
        known = {name: texts for name, texts in given.items() if name in model.model_fields}
        values = {name: _coerce(model, name, value) for name, value in field_values(model, known).items()}
        errors = [FieldError(name, "Isian ini tidak dikenal.") for name in sorted(unknown)]
        errors += [
            FieldError(name, DUPLICATE_FIELD)
            for name in known
            if len(known[name]) > 1 and not isinstance(values[name], list)
        ]
        try:
            validated = model.model_validate({**values, **more}, context=self.context)
        except ValidationError as error:
            raise validation_problem([*errors, *field_errors(error.errors())]) from error
        if errors:
            raise validation_problem(errors)
        return validated

    def with_context(self, context: Mapping[str, str]) -> PostedForm:
        """Return the form with this context for its validators."""
        return replace(self, context=context)

    def with_problem(self, problem: Problem) -> PostedForm:
        return replace(self, problem=problem)

    def restorable_fields(self) -> list[tuple[str, str]]:
        """Return the fields that are given back after signing in again; passwords and codes are left out."""
        fields = (
            (name, texts) for name, texts in self.texts.items() if not any(secret in name for secret in _SECRET_FIELDS)
        )
        button = [(BUTTON_FIELD, self.button)] if self.button else []
        return [(KEY_FIELD, self.key), *button, *((name, text) for name, texts in fields for text in texts)]


@asynccontextmanager
async def read_posted(request: Request, limits: FormLimits) -> AsyncIterator[PostedForm]:
    """Read the form of this request; its files are closed at the end. Raises: Problem 400, 413, 415, 422."""
    if is_multipart(request):
        async with receive_form(request, MAX_FILES, limits) as received:
            yield _parse(received.texts, received.uploads, received.errors)
    else:
        yield _parse(await _urlencoded(request, limits))


def _coerce(model: type[BaseModel], name: str, value: str | list[str]) -> str | int | list[str]:
    """Convert text to a number where the model expects one, since forms only have texts."""
    annotation = model.model_fields[name].annotation
    wants_number = annotation is int or int in get_args(annotation)
    number = parse_number(value.strip()) if wants_number and isinstance(value, str) else None
    return value if number is None else number


def group_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return texts


async def _urlencoded(request: Request, limits: FormLimits) -> Mapping[str, Sequence[str]]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_URLENCODED_BYTES:
            raise body_too_large(MAX_URLENCODED_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=limits.fields, errors="strict")
    except ValueError as error:
        raise Problem(400, _UNREADABLE) from error
    return group_pairs((name, text.replace("\r\n", "\n")) for name, text in pairs)


def _parse(
    texts: Mapping[str, Sequence[str]], uploads: Sequence[Upload] = (), errors: Sequence[FieldError] = ()
) -> PostedForm:
    def first(name: str) -> str:
        return texts[name][0] if texts.get(name) else ""

    fields = {name: values for name, values in texts.items() if name not in RESERVED_FIELDS}
    return PostedForm(
        key=first(KEY_FIELD)[:200],
        texts=fields,
        uploads=uploads,
        refused=errors,
        csrf=first(csrf.FIELD),
        button=first(BUTTON_FIELD),
        resumed=bool(first(RESUME_FIELD)),
    )
