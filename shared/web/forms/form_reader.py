"""A form of which nothing is lost because something is wrong with it: every text, and every file that could be taken in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from starlette.datastructures import UploadFile
from starlette.requests import Request

from shared.documents.inspection.inspector import Inspector
from shared.documents.instrumented import DOCUMENTS
from shared.documents.port import DocumentRefused, TooLarge
from shared.web.api.validation import FieldError
from shared.web.forms.multipart import SPARE_FILES, FormLimits, FormParser, parse_form, require_multipart
from shared.web.forms.uploads import Upload, refusal_message


class LenientFormParser(FormParser):
    """Reads on past a file that is too large and drops the rest of it, so that nothing else of the form is lost."""

    def __init__(self, request: Request, most_files: int, limits: FormLimits) -> None:
        super().__init__(request, most_files, limits)
        self.too_large: set[int] = set()

    def _allow_oversized(self) -> bool:
        self.too_large.add(id(self._current_part.file))
        return False


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """All of a form: its texts by name, its files as they came, and what is wrong with those that could not be taken in."""

    texts: Mapping[str, Sequence[str]]
    uploads: Sequence[Upload]
    errors: Sequence[FieldError]


@asynccontextmanager
async def receive_form(request: Request, most_files: int, limits: FormLimits) -> AsyncIterator[ReceivedForm]:
    """A form of which nothing is lost because something is wrong. Files are closed at the end.

    Raises Problem: 400 broken, 415 not a form, 422 more parts than any form has.
    """
    parser = LenientFormParser(require_multipart(request), most_files + SPARE_FILES, limits)
    parts = await parse_form(parser)
    try:
        yield _received(parts.multi_items(), parser, limits)
    finally:
        await parts.close()


def _received(
    parts: Sequence[tuple[str, UploadFile | str]], parser: LenientFormParser, limits: FormLimits
) -> ReceivedForm:
    texts: dict[str, list[str]] = defaultdict(list)
    uploads, errors = [], []
    for name, part in parts:
        if isinstance(part, str):
            texts[name].append(part.replace("\r\n", "\n"))
        elif id(part) in parser.too_large:
            DOCUMENTS.labels("refused").inc()
            errors.append(FieldError(name, refusal_message(part.filename or "", TooLarge(limits.file))))
        elif part.filename or part.size:
            uploads.append(Upload(name, part.filename or "", part.size or 0, part.file))
    return ReceivedForm(texts, uploads, errors)


async def inspect_upload(upload: Upload, inspector: Inspector) -> Upload | FieldError:
    """The upload with its media type, or why it is refused. Raises InspectionUnavailable."""
    try:
        return replace(upload, media_type=await inspector.media_type(upload.filename, upload.file))
    except DocumentRefused as error:
        DOCUMENTS.labels("refused").inc()
        return FieldError(upload.field, refusal_message(upload.filename, error))
