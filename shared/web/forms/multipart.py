"""Reads multipart bodies with limits on every part; an incomplete body is refused as a whole."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from shared.documents.instrumented import DOCUMENTS
from shared.documents.port import TooLarge
from shared.web.api.problems import RETRY_AFTER_SECONDS, Problem, document_refused

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
NAME_TOO_LONG = "Nama sebuah berkas atau isian terlalu panjang. Beri nama yang lebih pendek, lalu kirim kembali."
UNREADABLE = "Formulir ini tidak dapat dibaca. Periksa isinya, lalu kirim kembali."
INCOMPLETE = "Formulir ini terputus sebelum semuanya sampai, dan tidak ada yang disimpan. Silakan kirim kembali."
NO_ROOM = "Penyimpanan sementara untuk unggahan sedang penuh. Tidak ada yang disimpan. Coba lagi beberapa saat lagi."
FILES_IN_MEMORY = 3
EXTRA_FILES = 10
"""Files beyond the allowed number that are still read, so that the response can say how many there were."""
CHARSETS = frozenset({"ascii", "utf-8", "iso8859-1", "cp1252"})
"""Python knows many more codecs; some are no character sets and some take quadratic time."""
_WHITESPACE = b" \t\r\n"
_EXTENDED_NAME = re.compile(rb"(?i)(?:^|;)[ \t]*filename\*=[\w-]{1,20}'[\w-]{0,20}'([^;\s\"]+)")


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Limits of a form: bytes of one file, of one text field and of all text fields, and the number of text fields."""

    file: int = 25 * MIB
    text: int = 64 * 1024
    texts: int = MIB
    fields: int = 100


DEFAULT_LIMITS = FormLimits()


class _TooManyParts(Exception):
    """The form has more parts than any valid form."""


class _IncompleteBody(MultiPartException):
    """The closing boundary is missing."""


class FormParser(MultiPartParser):
    """Starlette's parser with a limit on the size of each file, a check for a complete body and errors of its own.

    A file over the limit raises TooLarge; with `skip_oversized` its rest is dropped and it is listed in `oversized`.
    """

    spool_max_size = 256 * 1024
    """Bytes of each of the first files in memory, so that a letter needs no thread; later ones are on disk beyond 64 KiB."""

    def __init__(self, request: Request, max_files: int, limits: FormLimits, *, skip_oversized: bool = False) -> None:
        unlimited: float = float("inf")
        _, options = parse_options_header(request.headers["content-type"])
        body = self._require_complete(request.stream(), options.get(b"boundary", b""))
        super().__init__(request.headers, body, max_files=unlimited, max_fields=unlimited, max_part_size=limits.text)  # type: ignore[arg-type, unused-ignore]
        self._max_files, self._limits, self._skip_oversized = max_files, limits, skip_oversized
        self._ended, self._size, self._text_size = False, 0, 0
        self.oversized: set[int] = set()
        """Identities of the file objects over the limit."""

    @property
    def current_field(self) -> str:
        return self._current_part.field_name

    async def _require_complete(self, body: AsyncIterator[bytes], boundary: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the body and check what the parser ignores: data before the first boundary or after the closing one.

        Raises: MultiPartException for such data, or if the closing boundary is missing.
        """
        closing, begun, before = b"\r\n--" + boundary + b"--", False, b"\r\n"
        async for chunk in body:
            first = b"" if begun else chunk.lstrip(b"\r\n")[:1]
            if first not in (b"", b"-"):
                raise MultiPartException("The body does not begin with its boundary.")
            begun, already_ended = begun or first == b"-", self._ended
            yield chunk
            if self._ended:
                _require_blank(chunk if already_ended else (before + chunk).partition(closing)[2])
            before = (before + chunk[-len(closing) :])[-len(closing) :]
        if not self._ended:
            raise _IncompleteBody("The closing boundary is missing.")

    def on_end(self) -> None:
        self._ended = True

    def on_headers_finished(self) -> None:
        part = self._current_part
        if sum(name == b"content-disposition" for name, _ in part.item_headers) > 1:
            raise MultiPartException("A part has two dispositions.")
        part.content_disposition = _with_plain_name(part.content_disposition or b"")
        if self._current_files == FILES_IN_MEMORY:
            self.spool_max_size = 64 * 1024
        super().on_headers_finished()
        self._size = 0
        if self._current_files > self._max_files or self._current_fields > self._limits.fields:
            raise _TooManyParts

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is not None:
            self._size += end - start
            if self._size > self._limits.file:
                self._refuse_oversized()
                return
        else:
            self._text_size += end - start
            if self._text_size > self._limits.texts:
                raise _TooManyParts
        super().on_part_data(data, start, end)

    def _refuse_oversized(self) -> None:
        if not self._skip_oversized:
            raise TooLarge(self._limits.file)
        self.oversized.add(id(self._current_part.file))


def _require_blank(rest: bytes) -> None:
    if rest.strip(_WHITESPACE):
        raise MultiPartException("Data follows the closing boundary.")


def _with_plain_name(disposition: bytes) -> bytes:
    """Add a plain `filename` for older clients that only send `filename*`, which the parser does not recognize."""
    extended = _EXTENDED_NAME.search(disposition)
    if extended is None or b"filename" in parse_options_header(disposition)[1]:
        return disposition
    name = unquote_to_bytes(extended[1]).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return disposition + b'; filename="' + name + b'"'


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def require_multipart(request: Request) -> Request:
    """Return the request if its body is a readable form. Raises: Problem 415."""
    if not is_multipart(request):
        raise Problem(415, "Kirim isian ini sebagai formulir (multipart/form-data).")
    _, options = parse_options_header(request.headers["content-type"])
    if not _known_charset(options.get(b"charset", b"utf-8").decode("latin-1")):
        raise Problem(415, "Kirim isian formulir ini dalam UTF-8.")
    return request


def _known_charset(name: str) -> bool:
    try:
        return codecs.lookup(name).name in CHARSETS
    except (LookupError, ValueError):
        return False


async def parse_form(parser: FormParser) -> FormData:
    """Parse all parts of a form. Raises: Problem 400, 413, 422, and 503 if its files cannot be buffered."""
    try:
        return await parser.parse()
    except TooLarge as error:
        DOCUMENTS.labels("refused").inc()
        raise document_refused(error, parser.current_field) from error
    except _TooManyParts as error:
        raise Problem(422, "Formulir ini memuat terlalu banyak isian atau berkas.") from error
    except MultiPartException as error:
        if "header size" in str(error.__cause__):
            raise Problem(422, NAME_TOO_LONG) from error
        raise Problem(400, INCOMPLETE if isinstance(error, _IncompleteBody) else UNREADABLE) from error
    except OSError as error:
        # The temporary files of uploads: disk full, over quota, read-only, or out of descriptors.
        logger.error("an upload cannot be buffered: %s", error)
        raise Problem(503, NO_ROOM, headers={"Retry-After": RETRY_AFTER_SECONDS}) from error


@dataclass(frozen=True, slots=True)
class FormParts:
    """The parts of a form by field name; `oversized` are the identities of files over the limit."""

    items: Sequence[tuple[str, UploadFile | str]]
    oversized: Set[int]


@asynccontextmanager
async def read_parts(
    request: Request, max_files: int, limits: FormLimits, *, skip_oversized: bool = False
) -> AsyncIterator[FormParts]:
    """Read a form; its files are closed at the end.

    An oversized file refuses the whole form, or with `skip_oversized` only itself. Raises: Problem 400, 413, 415, 422, 503.
    """
    parser = FormParser(require_multipart(request), max_files + EXTRA_FILES, limits, skip_oversized=skip_oversized)
    form = await parse_form(parser)
    try:
        yield FormParts(form.multi_items(), parser.oversized)
    finally:
        await form.close()
