"""Cache of page images: a page is rendered once to count its document's pages and to be shown."""

from __future__ import annotations

import asyncio

from cachetools import LRUCache

from shared.documents.port import DocumentStore
from shared.documents.rendering.page_renderer import PageImage, PageRenderer

MAX_BYTES = 16 * 1024**2

_Page = tuple[str, int]


class PageImageCache:
    """Caches up to `max_bytes` of page images by storage key, whose content never changes; concurrent callers share a rendering."""

    def __init__(self, documents: DocumentStore, renderer: PageRenderer, max_bytes: int = MAX_BYTES) -> None:
        self._documents, self._renderer = documents, renderer
        self._images: LRUCache[_Page, PageImage] = LRUCache(max_bytes, getsizeof=lambda image: len(image.png))
        self._renderings: dict[_Page, asyncio.Task[PageImage]] = {}

    def get_cached(self, key: str, page: int) -> PageImage | None:
        """Return the page image if it is cached; nothing is rendered."""
        return self._images.get((key, page))

    async def render(self, key: str, media_type: str, page: int) -> PageImage:
        """Return the image of a page; a rendering continues when its caller is cancelled.

        Raises: PageNotFound, Unrenderable, RenderTimeout, DocumentMissing, StoreUnavailable.
        """
        cache_key = (key, page)
        if (image := self._images.get(cache_key)) is not None:
            return image
        if cache_key not in self._renderings:
            rendering = asyncio.create_task(self._render_and_store(cache_key, media_type))
            self._renderings[cache_key] = rendering
            rendering.add_done_callback(lambda done: self._finish(cache_key, done))
        return await asyncio.shield(self._renderings[cache_key])

    async def _render_and_store(self, cache_key: _Page, media_type: str) -> PageImage:
        key, page = cache_key
        image = await self._renderer.render(await self._documents.open(key), media_type, page)
        if len(image.png) <= self._images.maxsize:
            self._images[cache_key] = image
        return image

    def _finish(self, cache_key: _Page, done: asyncio.Task[PageImage]) -> None:
        del self._renderings[cache_key]
        if not done.cancelled():
            # Retrieves the error, so that the event loop does not report one whose callers have all been cancelled.
            done.exception()
