"""Lists as CSV and XLSX files, written row by row, so that their length has no limit."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Literal, TypeVar
from weakref import WeakSet

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from shared.documents.media_types import XLSX
from shared.runtime.executor import Executor, Loaded
from shared.storage.port import RecordQuery
from shared.web.api.openapi import BINARY_SCHEMA, JsonObject, response_content
from shared.web.api.problems import Problem
from shared.web.views.labels import STAGE_LABELS, STATUS_LABELS, scope_label
from shared.web.views.words import load_words

logger = logging.getLogger(__name__)

ExportKind = Literal["csv", "xlsx"]
Row = Sequence[object]
State = TypeVar("State")

PAGE_SIZE = 200
MAX_CONCURRENT_EXPORTS = 8
"""Lists that a process writes at a time; each of them reads the store as fast as its client takes the file."""
MAX_EXPORTS_OF_A_PERSON = 2
"""Lists that one account downloads at a time from a process, because a slow client holds one for as long as it reads."""
RETRY_SECONDS = 30
CHUNK_BYTES = 64 * 1024
SHEET_ROWS = 1_000_000
"""Rows of a sheet below its heads; the format has 1,048,576, and the library silently leaves out what follows."""
MEDIA_TYPES: Mapping[ExportKind, str] = {
    "csv": "text/csv",
    "xlsx": XLSX,
}
EXPORT_RESPONSES: dict[int | str, JsonObject] = {
    200: response_content("*/*", BINARY_SCHEMA, "Daftar sebagai berkas"),
    429: {"description": "Terlalu banyak daftar diunduh sekaligus"},
}
"""Responses of a route that answers with `export`."""
WORKBOOK_OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_texts = load_words("shared.web.views").export

REQUEST_FIELDS: Mapping[str, Callable[[Any], object]] = {
    "number": str,
    "status": STATUS_LABELS.__getitem__,
    "name": str,
    "unit": str,
    "scope": scope_label,
    "subject": str,
    "round": int,
    "submitted_at": lambda time: time.isoformat(timespec="seconds"),
    "stage": STAGE_LABELS.__getitem__,
    "due": lambda day: day.isoformat(),
    "overdue_days": int,
    "claimed_by_name": str,
    "lead_name": str,
    "target_date": lambda day: day.isoformat(),
    "percent": int,
}
"""How the fields of a list item are written; an absent value is an empty cell."""


def neutralize(value: object) -> object:
    """Return a value that no spreadsheet program takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


async def export_requests(
    kind: ExportKind,
    username: str,
    executor: Executor[State],
    query: RecordQuery | None,
    to_item: Callable[[Loaded[State]], Mapping[str, Any]],
) -> ExportResponse:
    """Return a whole list of requests as a file, an empty one without a query; cursors and limit of the query are ignored."""
    rows = _request_rows(executor, query, to_item)
    return await export(kind, username, "permohonan", [_texts[name] for name in REQUEST_FIELDS], rows)


async def _request_rows(
    executor: Executor[State], query: RecordQuery | None, to_item: Callable[[Loaded[State]], Mapping[str, Any]]
) -> AsyncIterator[Row]:
    if query is None:
        return
    async for loaded in executor.find_all(replace(query, after=None, before=None, limit=PAGE_SIZE)):
        item = to_item(loaded)
        yield ["" if item[name] in (None, "") else write(item[name]) for name, write in REQUEST_FIELDS.items()]


class _RunningExport:
    """An export of an account that counts until its response has been sent, or nobody holds it any more."""

    def __init__(self, username: str) -> None:
        self.username = username


_running: WeakSet[_RunningExport] = WeakSet()


def _start_export(username: str) -> _RunningExport:
    if sum(running.username == username for running in _running) >= MAX_EXPORTS_OF_A_PERSON:
        raise Problem(429, _texts.too_many_own, headers={"Retry-After": str(RETRY_SECONDS)})
    if len(_running) >= MAX_CONCURRENT_EXPORTS:
        raise Problem(503, _texts.too_many, headers={"Retry-After": str(RETRY_SECONDS)})
    running = _RunningExport(username)
    _running.add(running)
    return running


class ExportResponse(StreamingResponse):
    """The file of a running export."""

    def __init__(self, content: AsyncIterator[bytes], running: _RunningExport, kind: ExportKind, name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "X-Content-Type-Options": "nosniff"}
        super().__init__(content, headers=headers, media_type=MEDIA_TYPES[kind])
        self._running_export = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            _running.discard(self._running_export)


async def export(kind: ExportKind, username: str, name: str, heads: Row, rows: AsyncIterator[Row]) -> ExportResponse:
    """Return rows as a file that this account downloads.

    Raises Problem 429 while the account downloads others, 503 while too many are written, or without room for it.
    """
    running = _start_export(username)
    try:
        content = _csv(heads, rows) if kind == "csv" else _read_and_close(await _write_workbook(heads, rows))
    except BaseException:
        _running.discard(running)
        raise
    return ExportResponse(content, running, kind, name)


async def _csv(heads: Row, rows: AsyncIterator[Row]) -> AsyncIterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(heads)
    yield "\ufeff".encode()  # spreadsheet programs take the text for UTF-8 by this mark
    async for row in rows:
        writer.writerow([neutralize(value) for value in row])
        if buffer.tell() >= CHUNK_BYTES:
            yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


async def _write_workbook(heads: Row, rows: AsyncIterator[Row]) -> BinaryIO:
    """Write a workbook into a temporary file, of which only one row is in memory. Raises Problem 503 without room for it."""
    try:
        with tempfile.TemporaryDirectory(prefix="simpul-export-") as folder:
            return await _write_workbook_in(folder, heads, rows)
    except (OSError, FileCreateError) as error:
        logger.error("a workbook cannot be written: %s", error)
        raise Problem(503, _texts.no_room) from error


async def _write_workbook_in(folder: str, heads: Row, rows: AsyncIterator[Row]) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been read
    try:
        book = Workbook(file, {**WORKBOOK_OPTIONS, "tmpdir": folder})
        bold = book.add_format({"bold": True})
        sheet = _add_sheet(book, heads, bold)
        async for first, batch in _batches(rows):
            if first and first % SHEET_ROWS == 0:
                sheet = _add_sheet(book, heads, bold)
            await asyncio.to_thread(_write_rows, sheet, first % SHEET_ROWS + 1, batch)
        await asyncio.to_thread(book.close)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _add_sheet(book: Workbook, heads: Row, bold: Format) -> Worksheet:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, heads, bold)
    return sheet


async def _batches(rows: AsyncIterator[Row]) -> AsyncIterator[tuple[int, list[Row]]]:
    """Yield rows of one sheet each, with the number of rows before them."""
    first, batch = 0, list[Row]()
    async for row in rows:
        batch.append(row)
        if len(batch) >= PAGE_SIZE or (first + len(batch)) % SHEET_ROWS == 0:
            yield first, batch
            first, batch = first + len(batch), []
    if batch:
        yield first, batch


def _write_rows(sheet: Worksheet, first: int, rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows, first):
        _write_row(sheet, number, row)


def _write_row(sheet: Worksheet, number: int, row: Row) -> None:
    for column, value in enumerate(row):
        if isinstance(value, int):
            sheet.write_number(number, column, value)
        else:
            sheet.write_string(number, column, str(neutralize(value)))


async def _read_and_close(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
