"""Inspects uploads in the sandbox, so that the service process itself never parses untrusted files."""

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
"""Longer names are cut from the left, which keeps the extension."""
TOO_COMPLEX = (
    "Berkas terlalu rumit atau rusak sehingga tidak dapat diperiksa. Mohon simpan ulang berkasnya, "
    "misalnya dengan mencetaknya ke PDF, lalu kirim kembali."
)


class InspectionUnavailable(StoreUnavailable):
    """Files cannot be inspected now; nothing was stored and the call can be retried."""

    message = "Pemeriksaan berkas sedang tidak dapat dilakukan. Mohon coba beberapa saat lagi."


class Inspector:
    """Inspects up to `max_concurrency` files concurrently, each within `limits`."""

    def __init__(
        self, sandbox: Sandbox | None = None, *, max_concurrency: int = 2, limits: Limits = INSPECTION_LIMITS
    ) -> None:
        self._sandbox, self._limits = sandbox or process_sandbox(), limits
        self._slots = asyncio.Semaphore(max_concurrency)

    async def media_type(self, name: str, file: BinaryIO) -> str:
        """Return the media type of a seekable file that was uploaded under this name, and rewind the file.

        Raises: DocumentRefused ("too_complex" if the inspection exceeded the limits), InspectionUnavailable.
        """
        job = Job("inspect", self._limits, {"name": name[-MAX_NAME_CHARACTERS:]})
        async with self._slots:
            try:
                descriptor = await _readable_descriptor(file)
            except OSError as error:  # no descriptor or no memory for a copy
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
    result: dict[str, str] = json.loads(answer.result)
    if "media_type" not in result:
        raise DocumentRefused(result["code"], result["message"])
    return result["media_type"]


async def _readable_descriptor(file: BinaryIO) -> int:
    """Open a descriptor with its own position on the same content; the caller closes it.

    A file on disk is not copied. A form holds only small files in memory, whose copy takes less time than a call to a thread.
    """
    if isinstance(file, SpooledTemporaryFile) and not getattr(file, "_rolled", True):
        return _copy(file)
    return await asyncio.to_thread(_reopen, file)


def _reopen(file: BinaryIO) -> int:
    if (number := _file_number(file)) is None:
        return _copy(file)
    file.seek(0)
    file.flush()
    return os.open(f"/dev/fd/{number}", os.O_RDONLY)


def _copy(file: BinaryIO | SpooledTemporaryFile[bytes]) -> int:
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
