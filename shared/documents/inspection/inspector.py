"""Inspects uploads in the sandbox: neither the event loop nor a thread of the service reads what strangers sent."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

from shared.documents.port import DocumentRefused, StoreUnavailable
from shared.documents.sandbox.client import Sandbox, SandboxUnavailable, anonymous_file, process_sandbox
from shared.documents.sandbox.protocol import SUCCEEDED, Answer, Job, Limits

INSPECTION_LIMITS = Limits(cpu_seconds=5, elapsed_seconds=20.0, memory_bytes=512 * 1024**2)
MAX_NAME_CHARACTERS = 5_000
"""Only the end of a longer name counts: the extension is there."""
TOO_COMPLEX = (
    "Berkas terlalu rumit atau rusak sehingga tidak dapat diperiksa. Mohon simpan ulang berkasnya, "
    "misalnya dengan mencetaknya ke PDF, lalu kirim kembali."
)


class InspectionUnavailable(StoreUnavailable):
    """Files cannot be inspected now; nothing was stored and the call may be tried again."""

    message = "Pemeriksaan berkas sedang tidak dapat dilakukan. Mohon coba beberapa saat lagi."


class Inspector:
    """Inspects at most `max_concurrency` files at a time, each within `limits`."""

    def __init__(
        self, sandbox: Sandbox | None = None, *, max_concurrency: int = 2, limits: Limits = INSPECTION_LIMITS
    ) -> None:
        self._sandbox, self._limits = sandbox or process_sandbox(), limits
        self._slots = asyncio.Semaphore(max_concurrency)

    async def media_type(self, name: str, file: BinaryIO) -> str:
        """The media type of a seekable file that was sent under this name; the file is at its start afterwards.

        Raises DocumentRefused ("too_complex" when it did not get by within the limits) and InspectionUnavailable.
        """
        job = Job("inspect", self._limits, {"name": name[-MAX_NAME_CHARACTERS:]})
        async with self._slots:
            try:
                descriptor = await asyncio.to_thread(_readable_descriptor, file)
            except OSError as error:  # no descriptor, or no memory for a copy
                raise InspectionUnavailable(str(error)) from error
            try:
                answer = await self._sandbox.run(job, descriptor)
            except SandboxUnavailable as error:
                raise InspectionUnavailable(str(error)) from error
            finally:
                os.close(descriptor)
        return _media_type(answer)


def _media_type(answer: Answer) -> str:
    if answer.status != SUCCEEDED:
        raise DocumentRefused("too_complex", TOO_COMPLEX)
    found: dict[str, str] = json.loads(answer.result)
    if "media_type" not in found:
        raise DocumentRefused(found["code"], found["message"])
    return found["media_type"]


def _readable_descriptor(file: BinaryIO) -> int:
    """A descriptor of the same content with a position of its own, which the caller closes; no bytes are copied if the file
    is on disk.
    """
    on_disk = not isinstance(file, SpooledTemporaryFile) or getattr(file, "_rolled", True)
    if on_disk and (number := _file_number(file)) is not None:
        file.seek(0)
        file.flush()
        return os.open(f"/dev/fd/{number}", os.O_RDONLY)
    descriptor = anonymous_file()
    file.seek(0)
    with open(descriptor, "wb", closefd=False) as copy:
        shutil.copyfileobj(file, copy, 1024 * 1024)
    file.seek(0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _file_number(file: BinaryIO) -> int | None:
    try:
        return file.fileno()
    except OSError:
        return None
