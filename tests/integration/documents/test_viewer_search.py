"""A page of the site does not wait for a long search in its document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from shared.clock import random_id
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.folder import FolderDocumentStore
from shared.documents.media_types import PDF
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import PageRenderer, PageSizes, TextMatches
from shared.web.documents.previews import TEXTS, DocumentPreviews
from shared.web.documents.viewer import DocumentList, DocumentPaths, Viewer, ViewerState, build_viewer
from tests.support.services.staff_harness import pdf


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocumentStore:
    return FolderDocumentStore(tmp_path, random_id)


class PausedRenderer(PageRenderer):
    """Renders, but makes no search before `resume`, and measures nothing before `resume_measuring`."""

    def __init__(self) -> None:
        super().__init__()
        self.resume, self.resume_measuring = asyncio.Event(), asyncio.Event()

    async def measure(self, chunks: AsyncIterator[bytes], media_type: str) -> PageSizes:
        await self.resume_measuring.wait()
        return await super().measure(chunks, media_type)

    async def find_text(self, chunks: AsyncIterator[bytes], media_type: str, words: str) -> TextMatches:
        await self.resume.wait()
        return await super().find_text(chunks, media_type, words)


async def view(previews: DocumentPreviews, document: DocumentRef) -> Viewer:
    state = ViewerState(document.id, search="halaman")
    async with asyncio.timeout(30):
        shown = await build_viewer(previews, DocumentList([document]), DocumentPaths("/i", "/d"), state, "nurlaila")
    assert shown
    return shown


@pytest.fixture
async def letter(documents: FolderDocumentStore) -> DocumentRef:
    content = pdf(2)
    stored = await documents.put(BytesIO(content), lambda _file: PDF, limit=10**7)
    return DocumentRef(
        id="surat", key=stored.key, kind=DocumentKind.LETTER, name="surat.pdf", media_type=PDF, size=stored.size,
        sha256=stored.sha256,
    )  # fmt: skip


async def test_a_page_shows_its_document_while_a_long_search_goes_on(
    documents: FolderDocumentStore, letter: DocumentRef, monkeypatch: pytest.MonkeyPatch
):
    renderer = PausedRenderer()
    renderer.resume_measuring.set()
    previews = DocumentPreviews(PageImageCache(documents, renderer))
    monkeypatch.setattr("shared.web.documents.viewer.CONVERSION_WAIT_SECONDS", 0.1)
    shown = await view(previews, letter)
    assert shown.search
    assert (shown.sheet.preview.pages, shown.search.message, shown.search.matches) == (2, TEXTS.converting, ())
    renderer.resume.set()
    monkeypatch.undo()
    found = (await view(previews, letter)).search
    assert found
    assert [match.label for match in found.matches] == ["Hal. 1", "Hal. 2"]


async def test_a_page_that_waited_for_its_document_does_not_wait_for_a_search_as_well(
    documents: FolderDocumentStore, letter: DocumentRef, monkeypatch: pytest.MonkeyPatch
):
    renderer = PausedRenderer()
    previews = DocumentPreviews(PageImageCache(documents, renderer))
    monkeypatch.setattr("shared.web.documents.previews.CONVERSION_WAIT_SECONDS", 0.1)
    monkeypatch.setattr("shared.web.documents.viewer.CONVERSION_WAIT_SECONDS", 600.0)
    shown = await view(previews, letter)
    assert shown.search
    assert (shown.sheet.fault, shown.search.message) == (TEXTS.converting, TEXTS.converting)
    renderer.resume_measuring.set()
