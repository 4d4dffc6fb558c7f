"""Renders pages of PDF files and images as PNG, each in a sandboxed process with limits of time and memory."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from prometheus_client import Histogram

from shared.documents.media_types import PDF
from shared.documents.port import StoreUnavailable
from shared.documents.sandbox.client import Sandbox, SandboxUnavailable, anonymous_file, process_sandbox
from shared.documents.sandbox.protocol import (
    NO_SUCH_PAGE,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    PAGE_SIZE,
    PAGES,
    SUCCEEDED,
    TOO_LARGE,
    Answer,
    Job,
    Limits,
)

RENDERABLE_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg"})
RENDER_SECONDS = Histogram(
    "simpul_page_image_seconds", "Time to render a page image, including the wait for a slot", ["outcome"]
)
PAGE_WIDTH = 1200
"""Usual width of a page image in pixels."""
_SIZE = struct.Struct(">II")

PageSizes = tuple[tuple[int, int], ...]
"""Width and height of each page image of a document in pixels, at the usual width."""


class PageNotFound(Exception):
    """The document has no page with this number."""

    message = "Halaman tersebut tidak ada dalam dokumen."


class Unrenderable(Exception):
    """The document cannot be rendered: damaged, encrypted, too large, or of a type without pages."""

    message = "Halaman dokumen tidak dapat ditampilkan. Silakan unduh dokumennya."


class TooLargeToRender(Unrenderable):
    """The image has more pixels than fit into the memory limit."""

    message = "Gambar ini terlalu besar untuk ditampilkan dengan jelas. Silakan unduh dokumennya."


class RenderTimeout(Exception):
    """Rendering exceeded its time limit."""

    message = "Halaman dokumen terlalu rumit untuk ditampilkan. Silakan unduh dokumennya."


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page as PNG; `page` counts from 1 to `pages`."""

    png: bytes
    page: int
    pages: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the PNG header."""
        width, height = _SIZE.unpack_from(self.png, 16)
        return width, height


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A page with the words, their count on it, and an excerpt around the first."""

    page: int
    count: int
    excerpt: str


@dataclass(frozen=True, slots=True)
class TextMatches:
    """Pages with the words; a scan has no text, and of a very long document only the beginning is read."""

    matches: tuple[TextMatch, ...] = ()
    has_text: bool = False
    is_complete: bool = True


class PageRenderer:
    """Renders up to `max_concurrency` pages concurrently, each within `seconds` and `memory` bytes of address space.

    Measuring and searching, which reads all pages, have slots of their own, so that no page waits for a search.
    """

    def __init__(
        self,
        sandbox: Sandbox | None = None,
        *,
        max_concurrency: int = 2,
        max_measuring: int = 4,
        max_searches: int = 2,
        seconds: float = 10.0,
        memory: int = 768 * 1024**2,
    ) -> None:
        self._sandbox = sandbox or process_sandbox()
        self._slots, self._measuring = asyncio.Semaphore(max_concurrency), asyncio.Semaphore(max_measuring)
        self._searching = asyncio.Semaphore(max_searches)
        self._seconds, self._limits = seconds, Limits(int(seconds) + 1, seconds, memory)

    async def measure(self, chunks: AsyncIterator[bytes], media_type: str) -> PageSizes:
        """Return the sizes of the pages, without rendering any. Raises: Unrenderable, RenderTimeout, StoreUnavailable."""
        if media_type not in RENDERABLE_TYPES:
            raise Unrenderable(media_type)
        async with self._measuring:
            answer = await self._answer(chunks, Job("measure", self._limits, {"media_type": media_type}))
        result = _validated_result(answer, 0)
        return tuple(PAGE_SIZE.iter_unpack(result))

    async def find_text(self, chunks: AsyncIterator[bytes], media_type: str, words: str) -> TextMatches:
        """Return where a PDF has these folded words; images have no text. Raises: Unrenderable, RenderTimeout, StoreUnavailable."""
        if media_type != PDF:
            return TextMatches()
        async with self._searching:
            answer = await self._answer(chunks, Job("find", self._limits, {"words": words}))
        found = json.loads(_validated_result(answer, 0))
        matches = tuple(TextMatch(*match) for match in found["matches"])
        return TextMatches(matches, found["has_text"], found["is_complete"])

    async def render(
        self, chunks: AsyncIterator[bytes], media_type: str, page: int, *, width: int = PAGE_WIDTH, rotation: int = 0
    ) -> PageImage:
        """Render one page of the document, `rotation` degrees clockwise.

        Raises: PageNotFound, Unrenderable, RenderTimeout, StoreUnavailable.
        """
        start, outcome = monotonic(), "failed"
        arguments: dict[str, str | int] = {"media_type": media_type, "page": page, "width": width, "rotation": rotation}
        try:
            image = await self._render_page(chunks, media_type, page, Job("render", self._limits, arguments))
            outcome = "drawn"
            return image
        except RenderTimeout:
            outcome = "too_long"
            raise
        finally:
            RENDER_SECONDS.labels(outcome).observe(monotonic() - start)

    async def _render_page(self, chunks: AsyncIterator[bytes], media_type: str, page: int, job: Job) -> PageImage:
        if media_type not in RENDERABLE_TYPES:
            raise Unrenderable(media_type)
        if not 1 <= page <= 1_000_000:
            raise PageNotFound(page)
        async with self._slots:
            answer = _validated_result(await self._answer(chunks, job), page)
        return PageImage(answer[PAGES.size :], page, PAGES.unpack_from(answer)[0])

    async def _answer(self, chunks: AsyncIterator[bytes], job: Job) -> Answer:
        descriptor = anonymous_file()
        try:
            async with asyncio.timeout(self._seconds):
                await write_chunks(descriptor, chunks)
            return await self._sandbox.run(job, descriptor)
        except TimeoutError:
            raise RenderTimeout(job.name) from None
        except SandboxUnavailable as error:
            raise StoreUnavailable(str(error)) from error
        finally:
            os.close(descriptor)


def _validated_result(answer: Answer, page: int) -> bytes:
    if answer.status == NO_SUCH_PAGE:
        raise PageNotFound(page)
    if answer.status == OUT_OF_TIME:
        raise RenderTimeout(page)
    if answer.status in (TOO_LARGE, OUT_OF_MEMORY):
        raise TooLargeToRender(page)
    if answer.status != SUCCEEDED or len(answer.result) <= PAGES.size:
        raise Unrenderable(f"exit status {answer.status}")
    return answer.result


async def write_chunks(descriptor: int, chunks: AsyncIterator[bytes]) -> None:
    """Write the chunks to a file and rewind it."""
    async for chunk in chunks:
        await asyncio.to_thread(_write_all, descriptor, chunk)
    os.lseek(descriptor, 0, os.SEEK_SET)


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
