"""Pages of documents as images, for pages and the API of every service in which documents are read."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import StreamingResponse

from shared.contracts.facts import DocumentRef
from shared.documents.port import DocumentMissing, DocumentStore, StoreUnavailable
from shared.documents.rendering.office_converter import OfficeConverter, find_office_program
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import (
    PAGE_WIDTH,
    PageImage,
    PageNotFound,
    PageRenderer,
    RenderTimeout,
    TextMatches,
    Unrenderable,
)
from shared.text.folding import fold_text
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.forms.text_fields import CLEAN_LINE
from shared.web.http.methods import wants_headers_only
from shared.web.views.words import fill, load_words

logger = logging.getLogger(__name__)

TEXTS = load_words("shared.web.views").viewer
MIN_SEARCH_LENGTH, MAX_SEARCH_LENGTH = 2, 80
THUMBNAIL_WIDTH, LARGE_WIDTH = 120, 2000
WIDTHS, ROTATIONS = (THUMBNAIL_WIDTH, PAGE_WIDTH, LARGE_WIDTH), (0, 90, 180, 270)
RENDER_WAIT_SECONDS = 0.5
"""How long a page of the site waits for its image to be rendered, to say why if that fails."""
CONVERSION_WAIT_SECONDS = 15.0
"""How long a page of the site waits for a document to be converted and counted, and then for a search in it."""


class PageView(BaseModel):
    """How a page is rendered: its width in pixels, and degrees clockwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(PAGE_WIDTH, json_schema_extra={"enum": list(WIDTHS)})
    rotation: int = Field(0, json_schema_extra={"enum": list(ROTATIONS)})

    @field_validator("width")
    @classmethod
    def _validate_width(cls, value: int) -> int:
        return _validate_choice(value, WIDTHS)

    @field_validator("rotation")
    @classmethod
    def _validate_rotation(cls, value: int) -> int:
        return _validate_choice(value, ROTATIONS)


def _validate_choice(value: int, values: tuple[int, ...]) -> int:
    if value not in values:
        raise ValueError(fill(TEXTS.not_listed, values=", ".join(map(str, values))))
    return value


PageViewQuery = Annotated[PageView, Query()]


def is_searchable(words: str) -> bool:
    """Whether enough of the words is left without quotes and accents; an empty text would match everywhere."""
    return len(fold_text(words)) >= MIN_SEARCH_LENGTH


class TextSearch(BaseModel):
    """Words that are searched in a document, whatever their case and accents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: Annotated[str, Field(min_length=MIN_SEARCH_LENGTH, max_length=MAX_SEARCH_LENGTH), CLEAN_LINE]

    @field_validator("search")
    @classmethod
    def _validate_search(cls, value: str) -> str:
        if not is_searchable(value):
            raise ValueError(fill(TEXTS.search.short, least=MIN_SEARCH_LENGTH))
        return value


TextSearchQuery = Annotated[TextSearch, Query()]


class TextMatchResponse(BaseModel):
    """A page with the words: its number, how often it has them, and an excerpt around the first."""

    page: int
    count: int
    excerpt: str


class TextMatchesResponse(BaseModel):
    """The pages with the words. A scan has no text; of a very long document only the beginning is read (`is_complete`)."""

    matches: list[TextMatchResponse]
    has_text: bool
    is_complete: bool


@dataclass(frozen=True, slots=True)
class PagePreview:
    """A page of a document with the number of pages, or the fault for which it cannot be shown; sizes in pixels."""

    page: int = 1
    pages: int = 0
    width: int = 0
    height: int = 0
    fault: str = ""


class DocumentPreviews:
    """Renders pages of documents that the caller may read."""

    def __init__(self, images: PageImageCache) -> None:
        self._images = images

    def is_renderable(self, document: DocumentRef) -> bool:
        return self._images.is_renderable(document.media_type)

    async def count_pages(self, document: DocumentRef) -> int:
        """Return the number of pages, 0 if the document cannot be shown."""
        return (await self.preview(document, 1)).pages if self.is_renderable(document) else 0

    async def preview(self, document: DocumentRef, page: int) -> PagePreview:
        """Return what is known of a page, or of the first one if there is no such page; nothing is rendered."""
        try:
            async with asyncio.timeout(CONVERSION_WAIT_SECONDS):
                sizes = await self._images.page_sizes(document.key, document.media_type)
        except TimeoutError:
            return PagePreview(fault=TEXTS.converting)
        except (Unrenderable, RenderTimeout, StoreUnavailable) as error:
            return PagePreview(fault=error.message)
        except DocumentMissing:
            return PagePreview(fault=TEXTS.missing)
        shown = page if 1 <= page <= len(sizes) else 1
        return PagePreview(shown, len(sizes), *sizes[shown - 1])

    async def find_text(self, document: DocumentRef, words: str, reader: str) -> TextMatches:
        """Return where a document has these words; `reader` is told in the log.

        Raises: Unrenderable, RenderTimeout, StoreUnavailable, DocumentMissing.
        """
        logger.info("%s searched document %s", reader, document.id)
        return await self._images.find_text(document.key, document.media_type, fold_text(words))

    async def start_rendering(self, document: DocumentRef, page: int, view: PageView) -> str:
        """Start to render a page; return why that is impossible if it fails at once, else "".

        The image itself is delivered, and the access logged, by `render`.
        """
        try:
            async with asyncio.timeout(RENDER_WAIT_SECONDS):
                await self._images.render(document.key, document.media_type, page, view.width, view.rotation)
        except (PageNotFound, Unrenderable, RenderTimeout, StoreUnavailable) as error:
            return error.message
        except DocumentMissing:
            return str(TEXTS.missing)
        except TimeoutError:
            pass
        return ""

    async def render(self, document: DocumentRef, page: int, view: PageView, reader: str) -> PageImage:
        """Return a page as an image; `reader` is told in the log. Raises Problem 404, 415 or 422, and DocumentMissing."""
        self._require_renderable(document)
        if view.width != THUMBNAIL_WIDTH:
            logger.info("%s looked at page %d of document %s", reader, page, document.id)
        try:
            return await self._images.render(document.key, document.media_type, page, view.width, view.rotation)
        except PageNotFound as error:
            raise Problem(404, error.message) from error
        except (Unrenderable, RenderTimeout) as error:
            raise validation_problem([FieldError("page", error.message)]) from error

    async def respond_matches(self, document: DocumentRef, query: TextSearch, reader: str) -> dict[str, Any]:
        """Return where a document has these words. Raises Problem 415 or 422, and DocumentMissing."""
        self._require_renderable(document)
        try:
            return asdict(await self.find_text(document, query.search, reader))
        except (Unrenderable, RenderTimeout) as error:
            raise validation_problem([FieldError("search", error.message)]) from error

    async def respond(
        self, request: Request, document: DocumentRef, page: int, view: PageView, reader: str
    ) -> Response:
        """Return the image of a page, with `Link` to the next one. HEAD renders nothing."""
        self._require_renderable(document)
        image: PageImage | None
        if not wants_headers_only(request):
            image = await self.render(document, page, view, reader)
        elif (image := self._images.get_cached(document.key, page, view.width, view.rotation)) is None:
            return StreamingResponse(iter(()), media_type="image/png")  # without Content-Length, which is not known yet
        pages_path, _, _ = request.url.path.rpartition("/")
        next_page = {"Link": f'<{pages_path}/{page + 1}>; rel="next"'} if page < image.pages else {}
        return Response(image.png, headers=next_page, media_type="image/png")

    def _require_renderable(self, document: DocumentRef) -> None:
        if not self.is_renderable(document):
            raise Problem(415, TEXTS.not_renderable)


def open_previews(documents: DocumentStore) -> DocumentPreviews:
    """Return the previews of documents in this store, with a cache of their own."""
    program = find_office_program()
    converter = OfficeConverter(program) if program else None
    return DocumentPreviews(PageImageCache(documents, PageRenderer(), converter=converter))
