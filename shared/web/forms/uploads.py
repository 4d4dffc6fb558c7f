"""Reads multipart forms of the API in the handler, after authentication; all errors of fields and files are reported at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import UnionType
from typing import BinaryIO, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import UploadFile
from starlette.requests import Request

from shared.documents.inspection.inspector import Inspector
from shared.documents.instrumented import DOCUMENTS
from shared.documents.port import DocumentRefused
from shared.web.api.problems import Problem, document_refused, validation_problem
from shared.web.api.validation import REQUIRED_FILE_MESSAGE, FieldError, field_errors
from shared.web.dependencies import platform_of
from shared.web.forms.multipart import DEFAULT_LIMITS, FormLimits, read_parts

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FileRule:
    """Number of files that a field accepts."""

    min_count: int = 0
    max_count: int = 1


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent, open until the form is closed; `filename` is not sanitized, `media_type` is set by the inspection."""

    field: str
    filename: str
    size: int
    file: BinaryIO
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class ParsedForm(Generic[Model]):
    """A valid form."""

    fields: Model
    files: Mapping[str, list[Upload]]


@dataclass(slots=True)
class _FormParts:
    """Texts and files by field name, with the errors found so far."""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    uploads: dict[str, list[Upload]] = field(default_factory=lambda: defaultdict(list))
    errors: list[FieldError] = field(default_factory=list)


@asynccontextmanager
async def read_form(
    request: Request,
    model: type[Model],
    files: Mapping[str, FileRule],
    limits: FormLimits = DEFAULT_LIMITS,
    context: Mapping[str, str] | None = None,
) -> AsyncIterator[ParsedForm[Model]]:
    """Read and validate the form of this request; a blank text field counts as missing. Files are closed at the end.

    `context` is passed to the validators. Raises: Problem 400 for a broken form, 413 for a file over the limit, 415 for another
    body or (if nothing else is wrong) a file of an unsupported type, 422 with all errors.
    """
    max_files = sum(rule.max_count for rule in files.values())
    async with read_parts(request, max_files, limits) as parts:
        sorted_parts = _sort_parts(parts.items, model, files)
        fields = _fields(sorted_parts, model, context)
        yield await _validate(sorted_parts, fields, files, platform_of(request).inspector)


async def _validate(
    form_parts: _FormParts,
    fields: Model | None,
    rules: Mapping[str, FileRule],
    inspector: Inspector,
) -> ParsedForm[Model]:
    _count(form_parts, rules)
    refused = await _inspect(form_parts, inspector)
    if form_parts.errors or fields is None:
        raise validation_problem(
            [*form_parts.errors, *(FieldError(field, refusal_message(name, error)) for field, name, error in refused)]
        )
    if refused:
        raise _refusal(refused)
    return ParsedForm(fields, {name: form_parts.uploads.get(name, []) for name in rules})


def _sort_parts(
    parts: Sequence[tuple[str, UploadFile | str]], model: type[BaseModel], rules: Mapping[str, FileRule]
) -> _FormParts:
    form_parts = _FormParts()
    for name, part in parts:
        if isinstance(part, str):
            if name in rules:
                if part.strip():
                    form_parts.errors.append(FieldError(name, "Kirim sebagai berkas, bukan teks."))
            elif part.strip():
                form_parts.texts[name].append(part.replace("\r\n", "\n"))
        elif name in rules:
            if part.filename or part.size:
                form_parts.uploads[name].append(Upload(name, part.filename or "", part.size or 0, part.file))
        else:
            known = name in model.model_fields
            form_parts.errors.append(FieldError(name, "Isi dengan teks, bukan berkas." if known else _UNKNOWN_FIELD))
    return form_parts


_UNKNOWN_FIELD = "Isian ini tidak dikenal."
DUPLICATE_FIELD = "Isi satu kali saja."


def _fields(form_parts: _FormParts, model: type[Model], context: Mapping[str, str] | None) -> Model | None:
    values = field_values(model, form_parts.texts)
    duplicates = (
        name for name, texts in form_parts.texts.items() if len(texts) > 1 and not isinstance(values[name], list)
    )
    form_parts.errors.extend(FieldError(name, DUPLICATE_FIELD) for name in duplicates)
    try:
        return model.model_validate(values, context=context)
    except ValidationError as error:
        reported = {error.field for error in form_parts.errors}
        form_parts.errors.extend(
            field_error for field_error in field_errors(error.errors()) if field_error.field not in reported
        )
        return None


def field_values(model: type[BaseModel], texts: Mapping[str, Sequence[str]]) -> dict[str, str | list[str]]:
    """Return the values for a model: a list for a field that takes several, otherwise the first text."""
    return {
        name: list(values) if _is_multi_valued(model.model_fields.get(name)) else values[0]
        for name, values in texts.items()
    }


def _is_multi_valued(info: FieldInfo | None) -> bool:
    kinds = [info.annotation] if info else []
    if kinds and get_origin(kinds[0]) in (Union, UnionType):
        kinds = list(get_args(kinds[0]))
    return any(get_origin(kind) in (list, tuple, set, frozenset) for kind in kinds)


def _count(form_parts: _FormParts, rules: Mapping[str, FileRule]) -> None:
    reported = {error.field for error in form_parts.errors}
    for name, rule in rules.items():
        message = file_count_error(rule, len(form_parts.uploads.get(name, ())))
        if message and name not in reported:
            form_parts.errors.append(FieldError(name, message))


def file_count_error(rule: FileRule, count: int) -> str:
    """Return the error for this number of files, "" if it is allowed."""
    if count > rule.max_count:
        return f"Unggah paling banyak {rule.max_count} berkas. Sekarang {count}."
    if count >= rule.min_count:
        return ""
    return f"Unggah paling sedikit {rule.min_count} berkas. Sekarang baru {count}." if count else REQUIRED_FILE_MESSAGE


RefusedFile = tuple[str, str, DocumentRefused]


async def _inspect(form_parts: _FormParts, inspector: Inspector) -> list[RefusedFile]:
    """Set the media type of every file and return the refused ones. Raises: InspectionUnavailable."""
    refused: list[RefusedFile] = []
    for name, uploads in form_parts.uploads.items():
        for index, upload in enumerate(uploads):
            try:
                uploads[index] = replace(upload, media_type=await inspector.media_type(upload.filename, upload.file))
            except DocumentRefused as error:
                DOCUMENTS.labels("refused").inc()
                refused.append((name, upload.filename, error))
    return refused


def _refusal(refused: Sequence[RefusedFile]) -> Problem:
    problem = document_refused(refused[0][2])
    problem.errors = tuple(FieldError(field, refusal_message(name, error)) for field, name, error in refused)
    return problem


def refusal_message(filename: str, error: DocumentRefused) -> str:
    shown = "".join(letter for letter in filename if letter.isprintable())[-60:]
    return f"{shown}: {error.message}" if shown else error.message
