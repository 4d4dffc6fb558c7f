"""A mailer into a folder: one .eml file per email, synced to disk before it counts as sent."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

from shared.mail.mime import build_message
from shared.mail.port import Email, Outcome

logger = logging.getLogger(__name__)

FILE_NAME_PATTERN = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}\.eml")
PARTIAL_SUFFIX = ".part"
_MAX_HEADER_BYTES = 32 * 1024
_NOT_WRITTEN = Outcome("temporary", "Folder surel tidak dapat ditulisi.")


class EmailNotFound(Exception):
    """The folder has no email of this name."""


@dataclass(frozen=True, slots=True)
class StoredEmail:
    """An email of the folder as lists show it; `name` is the file's, `date` has a time zone."""

    name: str
    date: datetime
    to: str
    subject: str


class FolderMailer:
    """A Mailer into `folder`. Emails that arrive during a write are written together by the next one."""

    def __init__(self, folder: Path, *, min_free_bytes: int = 64 * 1024**2) -> None:
        self._folder, self._min_free_bytes = folder, min_free_bytes
        self._queue: list[tuple[Email, asyncio.Future[Outcome]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def send(self, email: Email) -> Outcome:
        written: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((email, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_queue())
        return await written

    async def ready(self) -> bool:
        return await asyncio.to_thread(self._has_free_space)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer

    async def list_messages(self, before: str = "", limit: int = 50, *, after: str = "") -> list[StoredEmail]:
        """List the newest emails first, or those next to a named one: older than `before`, or newer than `after`."""
        return await asyncio.to_thread(self._list, before, limit, after)

    async def read(self, name: str) -> bytes:
        """Return the bytes of an email. Raises EmailNotFound."""
        return await asyncio.to_thread(self._read_file, name)

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                writing = asyncio.to_thread(self._write, [email for email, _ in batch])
                _resolve_waiting(
                    [written for _, written in batch], *await asyncio.gather(writing, return_exceptions=True)
                )
        finally:
            self._writer = None

    def _write(self, emails: Sequence[Email]) -> list[Outcome]:
        try:
            self._make_folder()
            outcomes = [self._write_one(email) for email in emails]
            _sync_folder(self._folder)
        except OSError as error:
            logger.warning("emails could not be written: %s", error.strerror)
            return [_NOT_WRITTEN] * len(emails)
        return outcomes

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync_folder(self._folder.parent)

    def _write_one(self, email: Email) -> Outcome:
        path = self._folder / file_name(email)
        partial_path = path.with_name(path.name + PARTIAL_SUFFIX)
        try:
            _write_and_sync(partial_path, build_message(email))
            os.replace(partial_path, path)
        except OSError as error:
            logger.warning("an email could not be written: %s", error.strerror)
            partial_path.unlink(missing_ok=True)
            return _NOT_WRITTEN
        return Outcome("sent")

    def _has_free_space(self) -> bool:
        try:
            self._make_folder()
            return os.access(self._folder, os.W_OK) and shutil.disk_usage(self._folder).free >= self._min_free_bytes
        except OSError:
            return False

    def _list(self, before: str, limit: int, after: str) -> list[StoredEmail]:
        if not self._folder.is_dir():
            return []
        names = sorted(name for name in os.listdir(self._folder) if FILE_NAME_PATTERN.fullmatch(name))
        if after:
            chosen = [name for name in names if name > after][:limit]
        else:
            chosen = [name for name in names if not before or name < before][-limit:]
        return [stored for name in reversed(chosen) if (stored := _read_headers(self._folder / name))]

    def _read_file(self, name: str) -> bytes:
        # The name comes from a URL, so that one of another form must not become a path.
        if not FILE_NAME_PATTERN.fullmatch(name):
            raise EmailNotFound(name)
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            raise EmailNotFound(name) from None


def file_name(email: Email) -> str:
    """Return a name that sorts by the date of the email and is the same for a repeat."""
    moment = email.date.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return f"{moment}-{sha256(email.message_id.encode()).hexdigest()[:16]}.eml"


def parse_email(content: bytes) -> EmailMessage:
    """Parse an email; `get_body(("html",))` and `get_body(("plain",))` return its parts."""
    return BytesParser(policy=default).parsebytes(content)


def _resolve_waiting(waiting: Sequence[asyncio.Future[Outcome]], result: Sequence[Outcome] | BaseException) -> None:
    for index, written in enumerate(waiting):
        if written.done():
            continue
        if isinstance(result, BaseException):
            written.set_exception(result)
        else:
            written.set_result(result[index])


def _read_headers(path: Path) -> StoredEmail | None:
    """Return None for an email that was removed meanwhile."""
    try:
        with open(path, "rb") as file:
            headers = BytesHeaderParser(policy=default).parsebytes(file.read(_MAX_HEADER_BYTES))
    except FileNotFoundError:
        return None
    return StoredEmail(path.name, parsedate_to_datetime(headers["Date"]), str(headers["To"]), str(headers["Subject"]))


def _write_and_sync(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
