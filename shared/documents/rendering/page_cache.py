"""Cache of page images, page sizes and searches: a page is rendered once, however often and by however many it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

from cachetools import LRUCache, TTLCache

from shared.documents.media_types import PDF
from shared.documents.port import DocumentStore
from shared.documents.rendering.office_converter import OFFICE_EXTENSIONS, OfficeConverter
from shared.documents.rendering.page_renderer import (
    PAGE_WIDTH,
    RENDERABLE_TYPES,
    PageImage,
    PageRenderer,
    PageSizes,
    RenderTimeout,
    TextMatches,
    Unrenderable,
)

MAX_BYTES = 16 * 1024**2
MAX_CONVERTED_BYTES = 32 * 1024**2
MAX_MEASURED_PAGES = 100_000
MAX_FOUND_PAGES = 2_000
"""Pages with a match in cached results, each with an excerpt of some 100 characters."""
MAX_FAILED_CONVERSIONS, MAX_FAILED_SEARCHES = 4096, 1024
FAILURE_SECONDS = 600.0
"""How long a document that could not be converted or searched is not tried again, because a try may take a minute."""

_Page = tuple[str, int, int, int]
"""Storage key, page, width and rotation."""
_Search = tuple[str, str]
"""Storage key and folded words."""
Result = TypeVar("Result")


class PageImageCache:
    """Caches up to `max_bytes` of page images by storage key, whose content never changes; concurrent callers share a rendering.

    With a `converter`, documents of word processors and spreadsheets have pages too.
    """

    def __init__(
        self,
        documents: DocumentStore,
        renderer: PageRenderer,
        max_bytes: int = MAX_BYTES,
        converter: OfficeConverter | None = None,
        max_measured_pages: int = MAX_MEASURED_PAGES,
        max_found_pages: int = MAX_FOUND_PAGES,
    ) -> None:
        self._documents, self._renderer, self._converter = documents, renderer, converter
        self._converted: LRUCache[str, bytes] = LRUCache(MAX_CONVERTED_BYTES, getsizeof=len)
        self._conversions: dict[str, asyncio.Task[bytes]] = {}
        self._images: LRUCache[_Page, PageImage] = LRUCache(max_bytes, getsizeof=lambda image: len(image.png))
        self._failures: TTLCache[str, type[Unrenderable | RenderTimeout]] = TTLCache(
            MAX_FAILED_CONVERSIONS, FAILURE_SECONDS
        )
        self._sizes: LRUCache[str, PageSizes] = LRUCache(max_measured_pages, getsizeof=len)
        self._renderings: dict[_Page, asyncio.Task[PageImage]] = {}
        self._measurements: dict[str, asyncio.Task[PageSizes]] = {}
        self._found: LRUCache[_Search, TextMatches] = LRUCache(
            max_found_pages, getsizeof=lambda found: 1 + len(found.matches)
        )
        self._failed_searches: TTLCache[_Search, type[Unrenderable | RenderTimeout]] = TTLCache(
            MAX_FAILED_SEARCHES, FAILURE_SECONDS
        )
        self._searches: dict[_Search, asyncio.Task[TextMatches]] = {}

    def is_renderable(self, media_type: str) -> bool:
        return media_type in RENDERABLE_TYPES or (self._converter is not None and media_type in OFFICE_EXTENSIONS)

    def get_cached(self, key: str, page: int, width: int = PAGE_WIDTH, rotation: int = 0) -> PageImage | None:
        """Return the page image if it is cached; nothing is rendered."""
        return self._images.get((key, page, width, rotation))

    async def page_sizes(self, key: str, media_type: str) -> PageSizes:
        """Return the size of each page of a document.

        Raises: Unrenderable, RenderTimeout, DocumentMissing, StoreUnavailable.
        """
        if (sizes := self._sizes.get(key)) is not None:
            return sizes
        return await _shared(self._measurements, key, self._measure_and_store(key, media_type))

    async def render(
        self, key: str, media_type: str, page: int, width: int = PAGE_WIDTH, rotation: int = 0
    ) -> PageImage:
        """Return the image of a page; a rendering continues when its caller is cancelled.

        Raises: PageNotFound, Unrenderable, RenderTimeout, DocumentMissing, StoreUnavailable.
        """
        cache_key = (key, page, width, rotation)
        if (image := self._images.get(cache_key)) is not None:
            return image
        return await _shared(self._renderings, cache_key, self._render_and_store(cache_key, media_type))

    async def find_text(self, key: str, media_type: str, words: str) -> TextMatches:
        """Return where a document has these folded words; a search continues when its caller is cancelled.

        Raises as `page_sizes`.
        """
        if not self.is_renderable(media_type):
            return TextMatches()
        search = (key, words)
        if (found := self._found.get(search)) is not None:
            return found
        if (failure := self._failed_searches.get(search)) is not None:
            raise failure(key)
        return await _shared(self._searches, search, self._find_and_store(search, media_type))

    async def _find_and_store(self, search: _Search, media_type: str) -> TextMatches:
        key, words = search
        try:
            found = await self._renderer.find_text(*await self._open(key, media_type), words)
        except (Unrenderable, RenderTimeout) as error:
            self._failed_searches[search] = type(error)
            raise
        if 1 + len(found.matches) <= self._found.maxsize:
            self._found[search] = found
        return found

    async def _measure_and_store(self, key: str, media_type: str) -> PageSizes:
        sizes = await self._renderer.measure(*await self._open(key, media_type))
        if len(sizes) <= self._sizes.maxsize:
            self._sizes[key] = sizes
        return sizes

    async def _render_and_store(self, cache_key: _Page, media_type: str) -> PageImage:
        key, page, width, rotation = cache_key
        chunks, rendered_type = await self._open(key, media_type)
        image = await self._renderer.render(chunks, rendered_type, page, width=width, rotation=rotation)
        if len(image.png) <= self._images.maxsize:
            self._images[cache_key] = image
        return image

    async def _open(self, key: str, media_type: str) -> tuple[AsyncIterator[bytes], str]:
        """Return the document, or the PDF into which it was converted, with its media type."""
        if self._converter is None or media_type not in OFFICE_EXTENSIONS:
            return await self._documents.open(key), media_type
        if (failure := self._failures.get(key)) is not None:
            raise failure(key)
        pdf = self._converted.get(key)
        if pdf is None:
            pdf = await _shared(self._conversions, key, self._convert_and_store(self._converter, key, media_type))
        return _in_one_chunk(pdf), PDF

    async def _convert_and_store(self, converter: OfficeConverter, key: str, media_type: str) -> bytes:
        try:
            pdf = await converter.convert(await self._documents.open(key), media_type)
        except (Unrenderable, RenderTimeout) as error:
            self._failures[key] = type(error)
            raise
        if len(pdf) <= self._converted.maxsize:
            self._converted[key] = pdf
        return pdf


async def _in_one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content


Key = TypeVar("Key")


async def _shared(tasks: dict[Key, asyncio.Task[Result]], key: Key, work: Coroutine[object, object, Result]) -> Result:
    """Await the task that does this work, which all callers with the same key share; it outlives a cancelled caller."""
    if key in tasks:
        work.close()
    else:
        tasks[key] = asyncio.create_task(work)
        tasks[key].add_done_callback(lambda done: _finish(tasks, key, done))
    return await asyncio.shield(tasks[key])


def _finish(tasks: dict[Key, asyncio.Task[Result]], key: Key, done: asyncio.Task[Result]) -> None:
    del tasks[key]
    if not done.cancelled():
        # Retrieves the error, so that the event loop does not report one whose callers have all been cancelled.
        done.exception()
