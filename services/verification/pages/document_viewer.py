"""The documents beside the checklist: one at a time, page by page, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlencode

from starlette.requests import Request

from services.verification.domain.state import State
from services.verification.errors import WORDS
from services.verification.presenters import documents
from services.verification.service import PagePreview, VerificationService
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.rendering.page_renderer import RENDERABLE_TYPES
from shared.runtime.executor import Loaded
from shared.web.forms.posted_form import PostedForm
from shared.web.views.file_size import format_size
from shared.web.views.labels import DOCUMENT_KIND_LABELS
from shared.web.views.words import fill

LOOK_BUTTON = "look"
DOCUMENT_FIELD, PAGE = "dokumen", "halaman"
SINGULAR_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.HANDOVER_RECORD})
SUBMITTED_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.REQUIREMENT})
_MAX_NUMBER_LENGTH = 6
_words = WORDS.viewer


@dataclass(frozen=True, slots=True)
class Link:
    """Another document or page: `address` opens it, `order` asks for it by a button of the form."""

    label: str
    address: str
    order: str
    chosen: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The document that is shown; `image` is "" if it is not shown as a picture, and `fault` then says why."""

    document: DocumentRef
    look: PagePreview
    tabs: Sequence[Link]
    about: str
    image: str
    download: str
    fault: str
    previous: Link | None
    next: Link | None


def requested_page(request: Request, posted: PostedForm) -> tuple[str, int]:
    """The document and page that a button, the form or the address names, "" and 1 if none does."""
    order, _, rest = posted.button.partition(":")
    if order == LOOK_BUTTON and rest:
        document, _, page = rest.partition(":")
        return document, _parse_page_number(page)
    if posted.text(DOCUMENT_FIELD):
        return posted.text(DOCUMENT_FIELD), _parse_page_number(posted.text(PAGE))
    return request.query_params.get(DOCUMENT_FIELD, ""), _parse_page_number(request.query_params.get(PAGE, ""))


async def build_viewer(desk: VerificationService, loaded: Loaded[State], document_id: str, page: int) -> Viewer | None:
    """The document, or the letter, which comes first, if this is none of the request's; None for a request without documents."""
    all_documents = sorted(documents(loaded.state), key=lambda each: each.kind is not DocumentKind.LETTER)
    shown = next((each for each in all_documents if each.id == document_id), next(iter(all_documents), None))
    if shown is None:
        return None
    drawable = shown.media_type in RENDERABLE_TYPES
    look = await desk.look(shown, page if shown.id == document_id else 1) if drawable else PagePreview(1)
    there = f"/api/verification/requests/{loaded.id}/documents/{shown.id}"
    more = drawable and not look.fault and (look.pages is None or look.page < look.pages)
    return Viewer(
        document=shown,
        look=look,
        tabs=[_document_tab(each, loaded.state.course.round, each is shown) for each in all_documents],
        about=_caption(shown, look if drawable and not look.fault else None),
        image=f"{there}/pages/{look.page}" if drawable and not look.fault else "",
        download=f"/verifikasi/{loaded.id}/dokumen/{shown.id}",
        fault=look.fault if drawable else fill(_words.not_drawn, kind=_file_kind(shown)),
        previous=_link(_words.previous, shown, look.page - 1) if look.page > 1 else None,
        next=_link(_words.next, shown, look.page + 1) if more else None,
    )


def _document_tab(document: DocumentRef, round: int, chosen: bool) -> Link:
    name = DOCUMENT_KIND_LABELS[document.kind] if document.kind in SINGULAR_KINDS else document.name
    new = document.round == round > 1 and document.kind in SUBMITTED_KINDS
    about = fill(_words.new, round=round) if new else ""
    return _link(name, document, 1, chosen=chosen, about=about)


def _link(label: str, document: DocumentRef, page: int, *, chosen: bool = False, about: str = "") -> Link:
    address = f"?{urlencode({DOCUMENT_FIELD: document.id, PAGE: page})}"
    return Link(label, address, f"{LOOK_BUTTON}:{document.id}:{page}", chosen, about)


def _caption(document: DocumentRef, look: PagePreview | None) -> str:
    about = fill(_words.about, name=document.name, size=format_size(document.size))
    if look is None:
        return about
    words = _words.page_of if look.pages else _words.page
    return f"{about}, {fill(words, page=look.page, pages=look.pages)}"


def _file_kind(document: DocumentRef) -> str:
    return PurePosixPath(document.name).suffix[1:].upper() or document.media_type


def _parse_page_number(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() and text.isascii() and len(text) <= _MAX_NUMBER_LENGTH else 1
