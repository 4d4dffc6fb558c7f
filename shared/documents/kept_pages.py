"""The page images that were drawn last: a page is drawn once to count its document's pages and to be looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from shared.documents.pages import PageImage, PageImages
from shared.documents.port import DocumentStore

MOST_BYTES = 16 * 1024**2

_Page = tuple[str, int]


class KeptPages:
    """Pages by storage key, whose content never changes. At most `most_bytes` of pictures stay in memory, those last asked for;
    who asks while a page is being drawn waits for the same drawing.
    """

    def __init__(self, documents: DocumentStore, images: PageImages, most_bytes: int = MOST_BYTES) -> None:
        self._documents, self._images, self._most = documents, images, most_bytes
        self._kept: OrderedDict[_Page, PageImage] = OrderedDict()
        self._drawing: dict[_Page, asyncio.Task[PageImage]] = {}
        self._bytes = 0

    def get_drawn(self, key: str, page: int) -> PageImage | None:
        """The page if it is in memory; nothing is drawn."""
        return self._kept.get((key, page))

    async def draw(self, key: str, media_type: str, page: int) -> PageImage:
        """Raises NoSuchPage, Unrenderable, TookTooLong, DocumentMissing, StoreUnavailable. A drawing goes on without who left."""
        wanted = (key, page)
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            return self._kept[wanted]
        if wanted not in self._drawing:
            drawing = asyncio.create_task(self._drawn(wanted, media_type))
            self._drawing[wanted] = drawing
            drawing.add_done_callback(lambda done: self._over(wanted, done))
        return await asyncio.shield(self._drawing[wanted])

    async def _drawn(self, wanted: _Page, media_type: str) -> PageImage:
        key, page = wanted
        image = await self._images.draw(await self._documents.open(key), media_type, page)
        self._keep(wanted, image)
        return image

    def _keep(self, wanted: _Page, image: PageImage) -> None:
        self._kept[wanted] = image
        self._bytes += len(image.png)
        while self._bytes > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.png)

    def _over(self, wanted: _Page, done: asyncio.Task[PageImage]) -> None:
        del self._drawing[wanted]
        if not done.cancelled():
            # Asked for here, so that a failure that nobody waited for is no surprise to the loop.
            done.exception()
