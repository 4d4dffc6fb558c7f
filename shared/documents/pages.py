"""Pages of PDF files and pictures as PNG, each drawn in a sandboxed process that may fail, hang or swell without harm."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from prometheus_client import Histogram

from shared.documents.port import StoreUnavailable
from shared.documents.sandbox.client import Sandbox, SandboxUnavailable, anonymous_file, process_sandbox
from shared.documents.sandbox.protocol import (
    NO_SUCH_PAGE,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    PAGES,
    SUCCEEDED,
    TOO_LARGE,
    Answer,
    Job,
    Limits,
)

DRAWABLE = frozenset({"application/pdf", "image/png", "image/jpeg"})
DRAWINGS = Histogram("simpul_page_image_seconds", "Time that the picture of a page took, waiting included", ["outcome"])
_SIZE = struct.Struct(">II")


class NoSuchPage(Exception):
    """The document has no page of this number."""

    message = "Halaman tersebut tidak ada dalam dokumen."


class Unrenderable(Exception):
    """No picture can be made of it: damaged, locked by a password, too large, or not of a kind that has pages."""

    message = "Halaman dokumen tidak dapat ditampilkan. Silakan unduh dokumennya."


class TooLargeToDraw(Unrenderable):
    """The picture has more pixels than fit into the memory of a drawing."""

    message = "Gambar ini terlalu besar untuk ditampilkan dengan jelas. Silakan unduh dokumennya."


class TookTooLong(Exception):
    """Drawing was stopped at its limit of time."""

    message = "Halaman dokumen terlalu rumit untuk ditampilkan. Silakan unduh dokumennya."


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page as PNG, about 1,200 pixels wide; `page` counts from 1 to `pages`."""

    png: bytes
    page: int
    pages: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the picture's head says."""
        width, height = _SIZE.unpack_from(self.png, 16)
        return width, height


class PageImages:
    """Draws at most `at_once` pages at a time, each in at most `seconds` and `memory` bytes of address space."""

    def __init__(
        self, sandbox: Sandbox | None = None, *, at_once: int = 2, seconds: float = 10.0, memory: int = 768 * 1024**2
    ) -> None:
        self._sandbox = sandbox or process_sandbox()
        self._turns = asyncio.Semaphore(at_once)
        self._seconds, self._limits = seconds, Limits(int(seconds) + 1, seconds, memory)

    async def draw(self, pieces: AsyncIterator[bytes], media_type: str, page: int) -> PageImage:
        """The page of the document that `pieces` make up. Raises NoSuchPage, Unrenderable, TookTooLong, StoreUnavailable."""
        began, outcome = monotonic(), "failed"
        try:
            image = await self._draw(pieces, media_type, page)
            outcome = "drawn"
            return image
        except TookTooLong:
            outcome = "too_long"
            raise
        finally:
            DRAWINGS.labels(outcome).observe(monotonic() - began)

    async def _draw(self, pieces: AsyncIterator[bytes], media_type: str, page: int) -> PageImage:
        if media_type not in DRAWABLE:
            raise Unrenderable(media_type)
        if not 1 <= page <= 1_000_000:
            raise NoSuchPage(page)
        async with self._turns:
            answer = _checked(await self._answer(pieces, media_type, page), page)
        return PageImage(answer[PAGES.size :], page, PAGES.unpack_from(answer)[0])

    async def _answer(self, pieces: AsyncIterator[bytes], media_type: str, page: int) -> Answer:
        job = Job("draw", self._limits, {"media_type": media_type, "page": page})
        descriptor = anonymous_file()
        try:
            async with asyncio.timeout(self._seconds):
                await _write(descriptor, pieces)
            return await self._sandbox.run(job, descriptor)
        except TimeoutError:
            raise TookTooLong(page) from None
        except SandboxUnavailable as error:
            raise StoreUnavailable(str(error)) from error
        finally:
            os.close(descriptor)


def _checked(answer: Answer, page: int) -> bytes:
    if answer.status == NO_SUCH_PAGE:
        raise NoSuchPage(page)
    if answer.status == OUT_OF_TIME:
        raise TookTooLong(page)
    if answer.status in (TOO_LARGE, OUT_OF_MEMORY):
        raise TooLargeToDraw(page)
    if answer.status != SUCCEEDED or len(answer.result) <= PAGES.size:
        raise Unrenderable(f"exit status {answer.status}")
    return answer.result


async def _write(descriptor: int, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        await asyncio.to_thread(_write_all, descriptor, piece)
    os.lseek(descriptor, 0, os.SEEK_SET)


def _write_all(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
