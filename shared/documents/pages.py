"""Pages of PDF files and pictures as PNG, each drawn in a child process that may fail, hang or swell without harm."""

from __future__ import annotations

import asyncio
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import cast

from prometheus_client import Histogram

from shared.documents.draw import NO_SUCH_PAGE, PAGES

DRAWABLE = frozenset({"application/pdf", "image/png", "image/jpeg"})
PACKAGES = Path(__file__).parents[2]
LARGEST_IMAGE = 24 * 1024**2
DRAWINGS = Histogram("simpul_page_image_seconds", "Time that the picture of a page took, waiting included", ["outcome"])
_SIZE = struct.Struct(">II")


class NoSuchPage(Exception):
    """The document has no page of this number."""

    message = "Halaman tersebut tidak ada dalam dokumen."


class Unrenderable(Exception):
    """No picture can be made of it: damaged, locked by a password, too large, or not of a kind that has pages."""

    message = "Halaman dokumen tidak dapat ditampilkan. Silakan unduh dokumennya."


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

    def __init__(self, *, at_once: int = 2, seconds: float = 10.0, memory: int = 768 * 1024**2) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._seconds, self._memory = seconds, memory

    async def draw(self, pieces: AsyncIterator[bytes], media_type: str, page: int) -> PageImage:
        """The page of the document that `pieces` make up. Raises NoSuchPage, Unrenderable, TookTooLong."""
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
            answer = await self._answer(pieces, media_type, page)
        return PageImage(answer[PAGES.size :], page, PAGES.unpack_from(answer)[0])

    async def _answer(self, pieces: AsyncIterator[bytes], media_type: str, page: int) -> bytes:
        child = await self._child(media_type, page)
        try:
            async with asyncio.timeout(self._seconds):
                answer, _ = await asyncio.gather(_read(child), _feed(child, pieces))
                status = await child.wait()
        except TimeoutError:
            raise TookTooLong(page) from None
        finally:
            await _end(child)
        return _judged(answer, status, page)

    async def _child(self, media_type: str, page: int) -> Process:
        limits = (str(int(self._seconds) + 1), str(self._memory))
        command = (sys.executable, "-s", "-B", "-m", "shared.documents.draw", media_type, str(page), *limits)
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd=PACKAGES, start_new_session=True
        )


def _judged(answer: bytes, status: int, page: int) -> bytes:
    if status == NO_SUCH_PAGE:
        raise NoSuchPage(page)
    if status != 0 or len(answer) <= PAGES.size:
        raise Unrenderable(f"exit status {status}")
    return answer


async def _feed(child: Process, pieces: AsyncIterator[bytes]) -> None:
    stdin = cast(StreamWriter, child.stdin)
    # A child that has seen enough closes its end; what it made of the rest is in its exit status.
    with suppress(BrokenPipeError, ConnectionResetError):
        async for piece in pieces:
            stdin.write(piece)
            await stdin.drain()
    stdin.close()


async def _read(child: Process) -> bytes:
    stdout = cast(StreamReader, child.stdout)
    answer = bytearray()
    while piece := await stdout.read(256 * 1024):
        answer += piece
        if len(answer) > LARGEST_IMAGE:
            raise Unrenderable("the picture is too large")
    return bytes(answer)


async def _end(child: Process) -> None:
    with suppress(ProcessLookupError):
        if child.returncode is None:
            child.kill()
    await child.wait()
