"""Multipart forms, read inside the handler once it is known who calls: fields and files judged together, told at once."""

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

from shared.documents.inspection import Inspector
from shared.documents.measured import DOCUMENTS
from shared.documents.port import DocumentRefused
from shared.web.bodies import REQUIRED_FILE, FieldError, field_errors
from shared.web.multipart import DEFAULT_LIMITS, SPARE_FILES, FormLimits, FormParser, a_form, parsed
from shared.web.platform_of import platform_of
from shared.web.problems import Problem, invalid, not_taken_in

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FileRule:
    """How many files a field takes."""

    least: int = 0
    most: int = 1


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent: the name is raw and the file is open until the form is closed. `media_type` was looked at."""

    field: str
    filename: str
    size: int
    file: BinaryIO
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class ReadForm(Generic[Model]):
    """A form that is right in every part."""

    fields: Model
    files: Mapping[str, list[Upload]]


@dataclass(slots=True)
class _Sorted:
    """What came, by field, and what is wrong with it so far."""

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
) -> AsyncIterator[ReadForm[Model]]:
    """The form of this request; a text field left blank counts as not sent. Files are closed at the end, validators get
    `context`.

    Raises Problem: 400 broken, 413 a file too large, 415 not a form or (if nothing else is wrong) a file of a refused type,
    422 with everything that is wrong.
    """
    parser = _parser(request, files, limits)
    parts = await parsed(parser)
    try:
        came = _sorted(parts.multi_items(), model, files)
        fields = _fields(came, model, context)
        yield await _judged(came, fields, files, platform_of(request).inspector)
    finally:
        await parts.close()


async def _judged(
    came: _Sorted,
    fields: Model | None,
    rules: Mapping[str, FileRule],
    inspector: Inspector,
) -> ReadForm[Model]:
    _count(came, rules)
    refused = await _inspect(came, inspector)
    if came.errors or fields is None:
        raise invalid([*came.errors, *(FieldError(at, named_refusal(name, error)) for at, name, error in refused)])
    if refused:
        raise _refusal(refused)
    return ReadForm(fields, {name: came.uploads.get(name, []) for name in rules})


def _sorted(
    parts: Sequence[tuple[str, UploadFile | str]], model: type[BaseModel], rules: Mapping[str, FileRule]
) -> _Sorted:
    came = _Sorted()
    for name, part in parts:
        if isinstance(part, str):
            if name in rules:
                if part.strip():
                    came.errors.append(FieldError(name, "Kirim sebagai berkas, bukan teks."))
            elif part.strip():
                came.texts[name].append(part.replace("\r\n", "\n"))
        elif name in rules:
            if part.filename or part.size:
                came.uploads[name].append(Upload(name, part.filename or "", part.size or 0, part.file))
        else:
            known = name in model.model_fields
            came.errors.append(FieldError(name, "Isi dengan teks, bukan berkas." if known else _UNKNOWN))
    return came


_UNKNOWN = "Isian ini tidak dikenal."
TWICE = "Isi satu kali saja."


def _fields(came: _Sorted, model: type[Model], context: Mapping[str, str] | None) -> Model | None:
    values = values_for(model, came.texts)
    twice = (name for name, texts in came.texts.items() if len(texts) > 1 and not isinstance(values[name], list))
    came.errors.extend(FieldError(name, TWICE) for name in twice)
    try:
        return model.model_validate(values, context=context)
    except ValidationError as error:
        told = {each.field for each in came.errors}
        came.errors.extend(each for each in field_errors(error.errors()) if each.field not in told)
        return None


def values_for(model: type[BaseModel], texts: Mapping[str, Sequence[str]]) -> dict[str, str | list[str]]:
    """What a form says, for the model: a list where that takes several values, else the first one."""
    return {
        name: list(given) if _takes_many(model.model_fields.get(name)) else given[0] for name, given in texts.items()
    }


def _takes_many(info: FieldInfo | None) -> bool:
    kinds = [info.annotation] if info else []
    if kinds and get_origin(kinds[0]) in (Union, UnionType):
        kinds = list(get_args(kinds[0]))
    return any(get_origin(kind) in (list, tuple, set, frozenset) for kind in kinds)


def _count(came: _Sorted, rules: Mapping[str, FileRule]) -> None:
    told = {each.field for each in came.errors}
    for name, rule in rules.items():
        wrong = too_few_or_many(rule, len(came.uploads.get(name, ())))
        if wrong and name not in told:
            came.errors.append(FieldError(name, wrong))


def too_few_or_many(rule: FileRule, count: int) -> str:
    """What is wrong with this many files, "" if nothing is."""
    if count > rule.most:
        return f"Unggah paling banyak {rule.most} berkas. Sekarang {count}."
    if count >= rule.least:
        return ""
    return f"Unggah paling sedikit {rule.least} berkas. Sekarang baru {count}." if count else REQUIRED_FILE


Refused = tuple[str, str, DocumentRefused]


async def _inspect(came: _Sorted, inspector: Inspector) -> list[Refused]:
    """Name the media type of every file; those that are refused. Raises InspectionUnavailable."""
    refused: list[Refused] = []
    for name, uploads in came.uploads.items():
        for place, upload in enumerate(uploads):
            try:
                uploads[place] = replace(upload, media_type=await inspector.media_type(upload.filename, upload.file))
            except DocumentRefused as error:
                DOCUMENTS.labels("refused").inc()
                refused.append((name, upload.filename, error))
    return refused


def _refusal(refused: Sequence[Refused]) -> Problem:
    problem = not_taken_in(refused[0][2])
    problem.errors = tuple(FieldError(at, named_refusal(name, error)) for at, name, error in refused)
    return problem


def named_refusal(filename: str, error: DocumentRefused) -> str:
    shown = "".join(letter for letter in filename if letter.isprintable())[-60:]
    return f"{shown}: {error.message}" if shown else error.message


def _parser(request: Request, rules: Mapping[str, FileRule], limits: FormLimits) -> FormParser:
    return FormParser(a_form(request), sum(rule.most for rule in rules.values()) + SPARE_FILES, limits)
