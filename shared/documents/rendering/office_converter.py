"""Converts documents of word processors and spreadsheets to PDF, where LibreOffice is installed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

from shared.documents.media_types import DOCX, ODS, ODT, XLSX
from shared.documents.port import StoreUnavailable
from shared.documents.rendering.page_renderer import (
    RenderTimeout,
    TooLargeToRender,
    Unrenderable,
    write_chunks,
)
from shared.documents.sandbox.client import Sandbox, SandboxUnavailable, anonymous_file, process_sandbox
from shared.documents.sandbox.protocol import OUT_OF_MEMORY, OUT_OF_TIME, SUCCEEDED, Job, Limits

OFFICE_EXTENSIONS = {DOCX: "docx", XLSX: "xlsx", ODT: "odt", ODS: "ods"}
MAX_FILE_BYTES = 64 * 1024**2
"""Largest file that LibreOffice may write."""
PROGRAMS = ("soffice", "libreoffice")


def find_office_program() -> str | None:
    """Return the path of LibreOffice, None if it is not installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class OfficeConverter:
    """Converts one document at a time, within `seconds` and `memory` bytes of address space of each process."""

    def __init__(
        self, program: str, sandbox: Sandbox | None = None, *, seconds: float = 60.0, memory: int = 3 * 1024**3
    ) -> None:
        self._program = program
        self._sandbox = sandbox or process_sandbox()
        self._seconds = seconds
        self._limits = Limits(int(seconds) + 1, seconds, memory, MAX_FILE_BYTES)
        self._slots = asyncio.Semaphore(1)

    async def convert(self, chunks: AsyncIterator[bytes], media_type: str) -> bytes:
        """Return the document as PDF. Raises: Unrenderable, RenderTimeout, StoreUnavailable."""
        arguments: dict[str, str | int] = {"program": self._program, "extension": OFFICE_EXTENSIONS[media_type]}
        descriptor = anonymous_file()
        try:
            async with self._slots:
                async with asyncio.timeout(self._seconds):
                    await write_chunks(descriptor, chunks)
                answer = await self._sandbox.run(Job("convert", self._limits, arguments), descriptor)
        except TimeoutError:
            raise RenderTimeout(media_type) from None
        except SandboxUnavailable as error:
            raise StoreUnavailable(str(error)) from error
        finally:
            os.close(descriptor)
        if answer.status == OUT_OF_TIME:
            raise RenderTimeout(media_type)
        if answer.status == OUT_OF_MEMORY:
            raise TooLargeToRender(media_type)
        if answer.status != SUCCEEDED:
            raise Unrenderable(f"exit status {answer.status}")
        return answer.result
