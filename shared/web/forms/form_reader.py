"""Reads forms of pages, of which nothing valid is lost: neither a text nor a file that is acceptable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from starlette.requests import Request

from shared.documents.inspection.inspector import Inspector
from shared.documents.instrumented import DOCUMENTS
from shared.documents.port import DocumentRefused, TooLarge
from shared.web.api.validation import FieldError
from shared.web.forms.multipart import FormLimits, FormParts, read_parts
from shared.web.forms.uploads import Upload, refusal_message


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """A form as it was sent: texts by field name, files, and errors of files that were refused while reading."""

    texts: Mapping[str, Sequence[str]]
    uploads: Sequence[Upload]
    errors: Sequence[FieldError]


@asynccontextmanager
async def receive_form(request: Request, max_files: int, limits: FormLimits) -> AsyncIterator[ReceivedForm]:
    """Read a form; oversized files become errors and its other parts are kept. Files are closed at the end.

    Raises: Problem 400 for a broken form, 415 for another body, 422 for too many parts.
    """
    async with read_parts(request, max_files, limits, skip_oversized=True) as parts:
        yield _received(parts, limits)


def _received(parts: FormParts, limits: FormLimits) -> ReceivedForm:
    texts: dict[str, list[str]] = defaultdict(list)
    uploads, errors = [], []
    for name, part in parts.items:
        if isinstance(part, str):
            texts[name].append(part.replace("\r\n", "\n"))
        elif id(part) in parts.oversized:
            DOCUMENTS.labels("refused").inc()
            errors.append(FieldError(name, refusal_message(part.filename or "", TooLarge(limits.file))))
        elif part.filename or part.size:
            uploads.append(Upload(name, part.filename or "", part.size or 0, part.file))
    return ReceivedForm(texts, uploads, errors)


async def inspect_upload(upload: Upload, inspector: Inspector) -> Upload | FieldError:
    """Return the upload with its media type, or why it is refused. Raises: InspectionUnavailable."""
    try:
        return replace(upload, media_type=await inspector.media_type(upload.filename, upload.file))
    except DocumentRefused as error:
        DOCUMENTS.labels("refused").inc()
        return FieldError(upload.field, refusal_message(upload.filename, error))
