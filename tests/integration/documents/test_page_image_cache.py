"""Page images are cached up to a size, and concurrent callers share one rendering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from shared.clock import random_id
from shared.documents.folder import FolderDocumentStore
from shared.documents.port import DocumentMissing
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import (
    PageImage,
    PageNotFound,
    PageRenderer,
    RenderTimeout,
    TextMatches,
    Unrenderable,
)
from shared.documents.sandbox.client import Sandbox, process_sandbox
from shared.documents.sandbox.protocol import Answer, Job
from tests.support.services.staff_harness import pdf

PDF = "application/pdf"


class Counting(PageRenderer):
    """Renders and records what was rendered."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[int] = []
        self.searched: list[str] = []

    async def render(
        self, pieces: AsyncIterator[bytes], media_type: str, page: int, *, width: int = 1200, rotation: int = 0
    ) -> PageImage:
        self.drawn.append(page)
        return await super().render(pieces, media_type, page, width=width, rotation=rotation)

    async def find_text(self, chunks: AsyncIterator[bytes], media_type: str, words: str) -> TextMatches:
        self.searched.append(words)
        return await super().find_text(chunks, media_type, words)


class SearchesWait(Sandbox):
    """Runs jobs, but no search before `resume`."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.resume = 0, asyncio.Event()

    async def run(self, job: Job, file: int) -> Answer:
        if job.name == "find":
            self.started += 1
            await self.resume.wait()
        return await process_sandbox().run(job, file)


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocumentStore:
    return FolderDocumentStore(tmp_path, random_id)


async def stored(documents: FolderDocumentStore, content: bytes) -> str:
    return (await documents.put(BytesIO(content), lambda file: PDF, limit=10**7)).key


async def test_a_page_is_rendered_once_for_concurrent_callers(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(2))
    kept = PageImageCache(documents, images)
    answers = await asyncio.gather(*(kept.render(key, PDF, 1) for _ in range(5)))
    assert (await kept.render(key, PDF, 1)) is answers[0]
    assert (images.drawn, answers[0].pages, answers[0].size[0]) == ([1], 2, 1200)


async def test_the_least_recently_used_page_is_evicted(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(3))
    one = len((await PageImageCache(documents, Counting()).render(key, PDF, 1)).png)
    kept = PageImageCache(documents, images, max_bytes=int(one * 2.5))
    for page in (1, 2, 1, 3, 1, 2):
        await kept.render(key, PDF, page)
    assert images.drawn == [1, 2, 3, 2]


async def test_failures_are_raised_each_time_and_never_cached(documents: FolderDocumentStore):
    images, broken, whole = Counting(), await stored(documents, b"%PDF-1.7\nno more"), await stored(documents, pdf(1))
    kept = PageImageCache(documents, images)
    for _ in range(2):
        with pytest.raises(Unrenderable):
            await kept.render(broken, PDF, 1)
        with pytest.raises(PageNotFound):
            await kept.render(whole, PDF, 2)
        with pytest.raises(DocumentMissing):
            await kept.render("unknown", PDF, 1)
    assert images.drawn == [1, 2, 1, 2]


async def test_a_rendering_continues_when_its_first_caller_is_cancelled(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(1))
    kept = PageImageCache(documents, images)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept.render(key, PDF, 1), 0.01)
    assert (await kept.render(key, PDF, 1)).pages == 1
    assert images.drawn == [1]


async def test_sizes_and_rotations_of_a_page_are_cached_apart(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(2))
    kept = PageImageCache(documents, images)
    upright = await kept.render(key, PDF, 1)
    turned, thumbnail = await kept.render(key, PDF, 1, rotation=90), await kept.render(key, PDF, 1, 120)
    assert turned.size == upright.size[::-1]
    assert 120 <= thumbnail.size[0] <= 121
    assert images.drawn == [1, 1, 1]
    assert kept.get_cached(key, 1, 1200, 90) is turned


async def test_the_pages_of_a_document_are_counted_without_rendering_one(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(3))
    kept = PageImageCache(documents, images)
    sizes = await asyncio.gather(*(kept.page_sizes(key, PDF) for _ in range(3)))
    assert [len(each) for each in sizes] == [3, 3, 3]
    assert sizes[0][0] == (await kept.render(key, PDF, 1)).size
    await documents.delete(key)
    assert await kept.page_sizes(key, PDF) is sizes[0]


async def test_a_damaged_document_has_no_page_sizes(documents: FolderDocumentStore):
    kept = PageImageCache(documents, PageRenderer())
    with pytest.raises(Unrenderable):
        await kept.page_sizes(await stored(documents, b"%PDF-1.7 no more"), PDF)


async def test_a_document_with_an_absurd_number_of_pages_is_not_shown(documents: FolderDocumentStore):
    content = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 1000000/Kids[3 0 R]>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n"
    )
    kept = PageImageCache(documents, PageRenderer(seconds=60.0))
    key = await stored(documents, content)
    with pytest.raises(Unrenderable):
        await kept.page_sizes(key, PDF)
    with pytest.raises(Unrenderable):
        await kept.render(key, PDF, 1)


async def test_the_cache_of_page_sizes_holds_few_long_documents(documents: FolderDocumentStore):
    kept = PageImageCache(documents, PageRenderer(), max_measured_pages=5)
    first, second = await stored(documents, pdf(3)), await stored(documents, pdf(3))
    sizes = await kept.page_sizes(first, PDF)
    assert await kept.page_sizes(first, PDF) is sizes
    await kept.page_sizes(second, PDF)
    assert await kept.page_sizes(first, PDF) is not sizes
    assert len(await kept.page_sizes(await stored(documents, pdf(6)), PDF)) == 6


async def test_equal_searches_are_made_once_and_their_result_is_cached(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(2))
    kept = PageImageCache(documents, images)
    found = await asyncio.gather(*(kept.find_text(key, PDF, "halaman 2") for _ in range(3)))
    assert [match.page for match in found[0].matches] == [2]
    assert await kept.find_text(key, PDF, "halaman 2") is found[0]
    assert images.searched == ["halaman 2"]
    assert len((await kept.find_text(key, PDF, "halaman")).matches) == 2
    assert (await kept.find_text(await stored(documents, pdf(1)), PDF, "halaman 2")).matches == ()
    assert images.searched == ["halaman 2", "halaman", "halaman 2"]


async def test_the_cache_of_searches_holds_few_matches(documents: FolderDocumentStore):
    images, key = Counting(), await stored(documents, pdf(3))
    kept = PageImageCache(documents, images, max_found_pages=5)
    for words in ("halaman", "halaman", "halaman 1", "halaman", "tidak ada", "halaman"):
        await kept.find_text(key, PDF, words)
    assert images.searched == ["halaman", "halaman 1", "halaman", "tidak ada"]


async def test_a_search_that_took_too_long_is_not_repeated_with_each_page(documents: FolderDocumentStore):
    class Slow(Counting):
        async def find_text(self, chunks: AsyncIterator[bytes], media_type: str, words: str) -> TextMatches:
            self.searched.append(words)
            raise RenderTimeout(words)

    images, key = Slow(), await stored(documents, pdf(1))
    kept = PageImageCache(documents, images)
    for _ in range(2):
        with pytest.raises(RenderTimeout):
            await kept.find_text(key, PDF, "halaman")
    assert images.searched == ["halaman"]


async def test_page_sizes_do_not_wait_for_searches(documents: FolderDocumentStore):
    sandbox = SearchesWait()
    kept = PageImageCache(documents, PageRenderer(sandbox))
    keys = [await stored(documents, pdf(1)) for _ in range(8)]
    searches = [asyncio.create_task(kept.find_text(key, PDF, "halaman")) for key in keys]
    async with asyncio.timeout(30):
        while not sandbox.started:  # noqa: ASYNC110 - few turns of the event loop
            await asyncio.sleep(0.01)
        assert len(await kept.page_sizes(keys[0], PDF)) == 1
    sandbox.resume.set()
    assert [len((await search).matches) for search in searches] == [1] * 8
