"""Cache of page images: a page is rendered once to count its document's pages and to be shown."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from shared.documents.port import DocumentStore
from shared.documents.rendering.page_renderer import PageImage, PageRenderer

MAX_BYTES = 16 * 1024**2

_Page = tuple[str, int]


class PageImageCache:
    """Pages by storage key, whose content never changes. At most `most_bytes` of pictures stay in memory, those last asked for;
    who asks while a page is being drawn waits for the same drawing.
    """

    def __init__(self, documents: DocumentStore, images: PageRenderer, max_bytes: int = MAX_BYTES) -> None:
        self._documents, self._images, self._max_bytes = documents, images, max_bytes
        self._cache: OrderedDict[_Page, PageImage] = OrderedDict()
        self._renderings: dict[_Page, asyncio.Task[PageImage]] = {}
        self._bytes = 0

    def get_cached(self, key: str, page: int) -> PageImage | None:
        """The page if it is in memory; nothing is drawn."""
        return self._cache.get((key, page))

    async def render(self, key: str, media_type: str, page: int) -> PageImage:
        """Raises NoSuchPage, Unrenderable, TookTooLong, DocumentMissing, StoreUnavailable. A drawing goes on without who left."""
        cache_key = (key, page)
        if cache_key in self._cache:
            self._cache.move_to_end(cache_key)
            return self._cache[cache_key]
        if cache_key not in self._renderings:
            rendering = asyncio.create_task(self._render_and_store(cache_key, media_type))
            self._renderings[cache_key] = rendering
            rendering.add_done_callback(lambda done: self._finish(cache_key, done))
        return await asyncio.shield(self._renderings[cache_key])

    async def _render_and_store(self, cache_key: _Page, media_type: str) -> PageImage:
        key, page = cache_key
        image = await self._images.render(await self._documents.open(key), media_type, page)
        self._store(cache_key, image)
        return image

    def _store(self, cache_key: _Page, image: PageImage) -> None:
        self._cache[cache_key] = image
        self._bytes += len(image.png)
        while self._bytes > self._max_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._bytes -= len(oldest.png)

    def _finish(self, cache_key: _Page, done: asyncio.Task[PageImage]) -> None:
        del self._renderings[cache_key]
        if not done.cancelled():
            # Asked for here, so that a failure that nobody waited for is no surprise to the loop.
            done.exception()
