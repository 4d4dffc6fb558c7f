"""The document viewer: one document at a time, page by page, beside a form or on a page of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import urlencode

from starlette.requests import Request

from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.port import DocumentMissing, StoreUnavailable
from shared.documents.rendering.page_renderer import RenderTimeout, TextMatch, TextMatches, Unrenderable
from shared.text.cleaning import parse_number
from shared.web.documents.previews import (
    CONVERSION_WAIT_SECONDS,
    LARGE_WIDTH,
    MAX_SEARCH_LENGTH,
    MIN_SEARCH_LENGTH,
    TEXTS,
    THUMBNAIL_WIDTH,
    DocumentPreviews,
    PagePreview,
    PageView,
    is_searchable,
)
from shared.web.forms.posted_form import PostedForm
from shared.web.views.formats import format_size
from shared.web.views.labels import DOCUMENT_KIND_LABELS
from shared.web.views.words import fill

VIEW_BUTTON = "look"
DOCUMENT_FIELD, PAGE_FIELD, ROTATION_FIELD, ZOOM_FIELD, COMPARISON_FIELD, SEARCH_FIELD = (
    "dokumen", "halaman", "putar", "ukuran", "banding", "kata",
)  # fmt: skip
BUTTON_FIELDS = (DOCUMENT_FIELD, PAGE_FIELD, ROTATION_FIELD, ZOOM_FIELD, COMPARISON_FIELD)
"""What the value of a button says; what is searched is in a field of its own."""
VIEW_FIELDS = (*BUTTON_FIELDS, SEARCH_FIELD)
SINGULAR_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.HANDOVER_RECORD})
SUBMITTED_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.REQUIREMENT})
AUTOMATIC_ZOOM, FULL_WIDTH = 100, 1
"""Zooms with which CSS chooses the width of the page; the others fix it."""
ZOOMS = (50, 75, AUTOMATIC_ZOOM, 125, 150, 200, 300)
PAPER_WIDTH, LARGE_FROM_ZOOM = 544, 200
"""Width of a page at 100 percent in CSS pixels, and the zoom from which a larger image is fetched."""
MAX_THUMBNAILS = 40


@dataclass(frozen=True, slots=True)
class ViewerState:
    """What the viewer shows: a document's page, `rotation` degrees clockwise; `zoom` in percent, or FULL_WIDTH.

    `others` are parameters of the page around it, which its links keep.
    """

    document: str = ""
    page: int = 1
    rotation: int = 0
    zoom: int = AUTOMATIC_ZOOM
    compare: bool = True
    search: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """The fields that differ from what is shown without them, beside the document and its page; not what is searched."""
        others = {
            ROTATION_FIELD: str(self.rotation) if self.rotation else "",
            ZOOM_FIELD: str(self.zoom) if self.zoom != AUTOMATIC_ZOOM else "",
            COMPARISON_FIELD: "" if self.compare else "0",
        }
        return {DOCUMENT_FIELD: self.document, PAGE_FIELD: str(self.page)} | {k: v for k, v in others.items() if v}

    @property
    def url(self) -> str:
        searched = {SEARCH_FIELD: self.search} if self.search else {}
        return f"?{urlencode([*self.fields.items(), *searched.items(), *self.others])}"

    @property
    def button(self) -> str:
        """The value of a form's button that shows this."""
        return ":".join((VIEW_BUTTON, *map(str, (self.document, self.page, self.rotation, self.zoom, +self.compare))))

    @classmethod
    def parse(
        cls, document: str, page: str, rotation: str, zoom: str, comparison: str, search: str = ""
    ) -> ViewerState:
        """Return the state that texts from a URL or a form ask for; what is not understood is left out."""
        turned, scaled = parse_number(rotation), parse_number(zoom)
        return cls(
            document,
            parse_number(page) or 1,
            turned if turned in (90, 180, 270) else 0,
            scaled if scaled in (*ZOOMS, FULL_WIDTH) else AUTOMATIC_ZOOM,
            comparison != "0",
            " ".join(search.split())[:MAX_SEARCH_LENGTH],
        )


def requested_state(request: Request, posted: PostedForm) -> ViewerState:
    """Return what the pressed button, the form or the URL asks to see."""
    order, _, rest = posted.button.partition(":")
    if order == VIEW_BUTTON and rest:
        values = [*rest.split(":"), *[""] * len(BUTTON_FIELDS)][: len(BUTTON_FIELDS)]
        return ViewerState.parse(*[*values, posted.text(SEARCH_FIELD)])
    if posted.text(DOCUMENT_FIELD):
        return ViewerState.parse(*(posted.text(name) for name in VIEW_FIELDS))
    return ViewerState.parse(*(request.query_params.get(name, "") for name in VIEW_FIELDS))


def is_view_change(posted: PostedForm) -> bool:
    """Whether the form was only sent to show another page."""
    return posted.button.partition(":")[0] == VIEW_BUTTON


@dataclass(frozen=True, slots=True)
class ViewerLink:
    """A link to another view: `url` opens it, `button` is the value of the form's button that shows it."""

    label: str
    url: str
    button: str
    is_current: bool = False
    badge: str = ""
    image: str = ""
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One version of the document, at the page that is shown; `image` is "" if it cannot be shown, and `fault` then says why."""

    document: DocumentRef
    preview: PagePreview
    image: str
    width: int
    height: int
    fault: str
    caption: str


@dataclass(frozen=True, slots=True)
class ViewerSearch:
    """What was found of the words that are searched in the document: the pages, and a sentence about them."""

    message: str = ""
    matches: Sequence[ViewerLink] = ()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The document that is shown, with the links of the toolbar; `earlier` is the version that it replaced, if both are shown."""

    state: ViewerState
    sheet: Sheet
    earlier: Sheet | None
    tabs: Sequence[ViewerLink]
    pages: Sequence[ViewerLink]
    previous: ViewerLink | None
    next: ViewerLink | None
    smaller: ViewerLink | None
    larger: ViewerLink | None
    full_width: ViewerLink | None
    turn_left: ViewerLink | None
    turn_right: ViewerLink | None
    comparison: ViewerLink | None
    download: str
    zoom_label: str
    search: ViewerSearch | None
    """None where documents are not searched."""


@dataclass(frozen=True, slots=True)
class DocumentPaths:
    """Where a service delivers the page images and the downloads of one request."""

    images: str
    downloads: str

    def image(self, document: DocumentRef, page: int, view: PageView) -> str:
        usual = PageView()
        query = {name: value for name, value in view.model_dump().items() if value != getattr(usual, name)}
        return f"{self.images}/{document.id}/pages/{page}" + (f"?{urlencode(query)}" if query else "")


@dataclass(frozen=True, slots=True)
class DocumentList:
    """The documents of a request in the order of the tabs; `replaced` are those of earlier rounds."""

    current: Sequence[DocumentRef]
    round: int = 1
    replaced: Sequence[DocumentRef] = ()
    previous_version: Callable[[DocumentRef], DocumentRef | None] = lambda _document: None

    @property
    def all(self) -> list[DocumentRef]:
        return [*sorted(self.current, key=lambda one: one.kind is not DocumentKind.LETTER), *self.replaced]


async def build_viewer(
    previews: DocumentPreviews, documents: DocumentList, paths: DocumentPaths, asked: ViewerState, reader: str = ""
) -> Viewer | None:
    """Return the viewer of a document, or of the letter if there is no such document; None without documents.

    Only a named `reader` searches in documents.
    """
    shown = next((one for one in documents.all if one.id == asked.document), next(iter(documents.all), None))
    if shown is None:
        return None
    state = replace(asked, document=shown.id, page=asked.page if shown.id == asked.document else 1)
    older = documents.previous_version(shown)
    has_both = older is not None and previews.is_renderable(older)
    sheet = await _sheet(previews, shown, paths, state)
    earlier = await _sheet(previews, older, paths, state) if older and has_both and state.compare else None
    state = replace(state, page=sheet.preview.page)
    return Viewer(
        state=state,
        sheet=sheet,
        earlier=earlier,
        tabs=[_tab(one, documents, state) for one in documents.all],
        pages=_page_links(sheet, paths, state),
        download=f"{paths.downloads}/{shown.id}",
        zoom_label=TEXTS.width_label if state.zoom == FULL_WIDTH else f"{state.zoom}%",
        comparison=_link(
            TEXTS.newest_only if state.compare else TEXTS.compare, replace(state, compare=not state.compare)
        )
        if has_both
        else None,
        search=await _search(previews, sheet, state, reader) if reader else None,
        **_toolbar(sheet, state),
    )


def proof_link(label: str, document: DocumentRef, page: int) -> ViewerLink:
    """Return a link that shows the page on which something can be checked."""
    return _link(label, ViewerState(document.id, page))


async def _sheet(previews: DocumentPreviews, document: DocumentRef, paths: DocumentPaths, state: ViewerState) -> Sheet:
    view = PageView(width=LARGE_WIDTH if state.zoom >= LARGE_FROM_ZOOM else PageView().width, rotation=state.rotation)
    about = fill(TEXTS.about, name=document.name, size=format_size(document.size))
    if not previews.is_renderable(document):
        unshown = fill(TEXTS.not_drawn, kind=_file_kind(document))
        return Sheet(document, PagePreview(), "", 0, 0, unshown, about)
    preview = await previews.preview(document, state.page)
    fault = preview.fault or await previews.start_rendering(document, preview.page, view)
    if fault:
        return Sheet(document, replace(preview, fault=fault), "", 0, 0, fault, about)
    width, height = _display_size(preview, state)
    caption = f"{about}, {fill(TEXTS.page_of, page=preview.page, pages=preview.pages)}"
    return Sheet(document, preview, paths.image(document, preview.page, view), width, height, "", caption)


async def _search(previews: DocumentPreviews, sheet: Sheet, state: ViewerState, reader: str) -> ViewerSearch:
    if not state.search:
        return ViewerSearch()
    if not is_searchable(state.search):
        return ViewerSearch(fill(TEXTS.search.short, least=MIN_SEARCH_LENGTH))
    if sheet.fault == TEXTS.converting:
        return ViewerSearch(sheet.fault)  # the page has waited for the conversion already
    try:
        async with asyncio.timeout(CONVERSION_WAIT_SECONDS):
            found = await previews.find_text(sheet.document, state.search, reader)
    except TimeoutError:
        return ViewerSearch(TEXTS.converting)
    except (Unrenderable, RenderTimeout, StoreUnavailable) as error:
        return ViewerSearch(error.message)
    except DocumentMissing:
        return ViewerSearch(TEXTS.missing)
    links = [_match_link(match, state) for match in found.matches]
    return ViewerSearch(_search_message(found, state.search), links)


def _match_link(match: TextMatch, state: ViewerState) -> ViewerLink:
    label = fill(TEXTS.search.page, page=match.page)
    link = _link(label, replace(state, page=match.page), current=match.page == state.page)
    return replace(link, excerpt=match.excerpt)


def _search_message(found: TextMatches, words: str) -> str:
    if not found.has_text:
        return str(TEXTS.search.no_text)
    message = TEXTS.search.found if found.matches else TEXTS.search.nothing
    told = fill(message, words=words, count=sum(match.count for match in found.matches), pages=len(found.matches))
    return told if found.is_complete else f"{told} {TEXTS.search.incomplete}"


def _display_size(preview: PagePreview, state: ViewerState) -> tuple[int, int]:
    """Return the width and height of the page on the screen; CSS scales them where the zoom is automatic."""
    size = (preview.width, preview.height)
    width, height = size if state.rotation in (0, 180) else size[::-1]
    shown = PAPER_WIDTH * (state.zoom if state.zoom in ZOOMS else 100) // 100
    return shown, max(1, round(shown * height / width))


def _toolbar(sheet: Sheet, state: ViewerState) -> dict[str, ViewerLink | None]:
    if not sheet.image:
        names = ("previous", "next", "smaller", "larger", "full_width", "turn_left", "turn_right")
        return dict.fromkeys(names)
    page, pages = state.page, sheet.preview.pages
    zoom = state.zoom if state.zoom in ZOOMS else AUTOMATIC_ZOOM
    smaller = [each for each in ZOOMS if each < zoom]
    larger = [each for each in ZOOMS if each > zoom]
    fits = state.zoom == FULL_WIDTH
    return {
        "previous": _link(TEXTS.previous, replace(state, page=page - 1)) if page > 1 else None,
        "next": _link(TEXTS.next, replace(state, page=page + 1)) if page < pages else None,
        "smaller": _link(TEXTS.smaller, replace(state, zoom=smaller[-1])) if smaller else None,
        "larger": _link(TEXTS.larger, replace(state, zoom=larger[0])) if larger else None,
        "full_width": _link(TEXTS.width, replace(state, zoom=AUTOMATIC_ZOOM if fits else FULL_WIDTH), current=fits),
        "turn_left": _link(TEXTS.turn_left, replace(state, rotation=(state.rotation - 90) % 360)),
        "turn_right": _link(TEXTS.turn_right, replace(state, rotation=(state.rotation + 90) % 360)),
    }


def _page_links(sheet: Sheet, paths: DocumentPaths, state: ViewerState) -> list[ViewerLink]:
    """Return a thumbnail for each page, or for those around the current one of a long document."""
    pages = sheet.preview.pages if sheet.image else 0
    first = max(1, min(state.page - MAX_THUMBNAILS // 2, pages - MAX_THUMBNAILS + 1))
    thumbnail = PageView(width=THUMBNAIL_WIDTH)
    return [
        _link(
            str(page),
            replace(state, page=page),
            current=page == state.page,
            image=paths.image(sheet.document, page, thumbnail),
        )
        for page in range(first, min(pages, first + MAX_THUMBNAILS - 1) + 1)
    ]


def _tab(document: DocumentRef, documents: DocumentList, state: ViewerState) -> ViewerLink:
    name = DOCUMENT_KIND_LABELS[document.kind] if document.kind in SINGULAR_KINDS else document.name
    is_new = document.round == documents.round > 1 and document.kind in SUBMITTED_KINDS
    is_replaced = document in documents.replaced
    badge = fill(TEXTS.old if is_replaced else TEXTS.new, round=document.round) if is_new or is_replaced else ""
    shown = replace(state, document=document.id, page=1, rotation=0)
    return _link(name, shown, current=document.id == state.document, badge=badge)


def _link(label: str, state: ViewerState, *, current: bool = False, badge: str = "", image: str = "") -> ViewerLink:
    return ViewerLink(label, state.url, state.button, current, badge, image)


def _file_kind(document: DocumentRef) -> str:
    return PurePosixPath(document.name).suffix[1:].upper() or document.media_type
