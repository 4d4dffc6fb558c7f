"""Cache of page images and page sizes: a page is rendered once, however often and by however many it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from cachetools import LRUCache

from shared.documents.port import DocumentStore
from shared.documents.rendering.page_renderer import PAGE_WIDTH, PageImage, PageRenderer, PageSizes

MAX_BYTES = 16 * 1024**2
MAX_MEASURED_DOCUMENTS = 4096

_Page = tuple[str, int, int, int]
"""Storage key, page, width and rotation."""
Result = TypeVar("Result")


class PageImageCache:
    """Caches up to `max_bytes` of page images by storage key, whose content never changes; concurrent callers share a rendering."""

    def __init__(self, documents: DocumentStore, renderer: PageRenderer, max_bytes: int = MAX_BYTES) -> None:
        self._documents, self._renderer = documents, renderer
        self._images: LRUCache[_Page, PageImage] = LRUCache(max_bytes, getsizeof=lambda image: len(image.png))
        self._sizes: LRUCache[str, PageSizes] = LRUCache(MAX_MEASURED_DOCUMENTS)
        self._renderings: dict[_Page, asyncio.Task[PageImage]] = {}
        self._measurements: dict[str, asyncio.Task[PageSizes]] = {}

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

    async def _measure_and_store(self, key: str, media_type: str) -> PageSizes:
        sizes = await self._renderer.measure(await self._documents.open(key), media_type)
        self._sizes[key] = sizes
        return sizes

    async def _render_and_store(self, cache_key: _Page, media_type: str) -> PageImage:
        key, page, width, rotation = cache_key
        chunks = await self._documents.open(key)
        image = await self._renderer.render(chunks, media_type, page, width=width, rotation=rotation)
        if len(image.png) <= self._images.maxsize:
            self._images[cache_key] = image
        return image


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
