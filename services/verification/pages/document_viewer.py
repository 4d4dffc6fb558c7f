"""The document viewer beside the checklist: one document at a time, page by page, as images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlencode

from starlette.requests import Request

from services.verification.domain.state import State
from services.verification.errors import TEXTS
from services.verification.service import PagePreview, VerificationService
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.rendering.page_renderer import RENDERABLE_TYPES
from shared.runtime.executor import Loaded
from shared.web.forms.posted_form import PostedForm
from shared.web.views.formats import format_size
from shared.web.views.labels import DOCUMENT_KIND_LABELS
from shared.web.views.words import fill

LOOK_BUTTON = "look"
DOCUMENT_FIELD, PAGE_FIELD = "dokumen", "halaman"
SINGULAR_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.HANDOVER_RECORD})
SUBMITTED_KINDS = frozenset({DocumentKind.LETTER, DocumentKind.REQUIREMENT})
_MAX_NUMBER_LENGTH = 6
_texts = TEXTS.viewer


@dataclass(frozen=True, slots=True)
class ViewerLink:
    """A link to another document or page: `url` opens it, `button` is the value of the form's button that shows it."""

    label: str
    url: str
    button: str
    is_current: bool = False
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The document that is shown; `image` is "" if it cannot be shown, and `fault` then says why."""

    document: DocumentRef
    preview: PagePreview
    tabs: Sequence[ViewerLink]
    caption: str
    image: str
    download: str
    fault: str
    previous: ViewerLink | None
    next: ViewerLink | None


def requested_page(request: Request, posted: PostedForm) -> tuple[str, int]:
    """Return the document and page that the button, the form or the URL asks for, else "" and 1."""
    order, _, rest = posted.button.partition(":")
    if order == LOOK_BUTTON and rest:
        document, _, page = rest.partition(":")
        return document, _parse_page_number(page)
    if posted.text(DOCUMENT_FIELD):
        return posted.text(DOCUMENT_FIELD), _parse_page_number(posted.text(PAGE_FIELD))
    return request.query_params.get(DOCUMENT_FIELD, ""), _parse_page_number(request.query_params.get(PAGE_FIELD, ""))


async def build_viewer(
    service: VerificationService, loaded: Loaded[State], document_id: str, page: int
) -> Viewer | None:
    """Return the viewer of a document, or of the letter if the request has no such document; None without documents."""
    all_documents = sorted(loaded.state.all_documents, key=lambda document: document.kind is not DocumentKind.LETTER)
    shown = next((one for one in all_documents if one.id == document_id), next(iter(all_documents), None))
    if shown is None:
        return None
    renderable = shown.media_type in RENDERABLE_TYPES
    preview = (
        await service.preview_page(shown, page if shown.id == document_id else 1) if renderable else PagePreview(1)
    )
    api_path = f"/api/verification/requests/{loaded.id}/documents/{shown.id}"
    has_next = renderable and not preview.fault and (preview.pages is None or preview.page < preview.pages)
    return Viewer(
        document=shown,
        preview=preview,
        tabs=[_document_tab(one, loaded.state.course.round, one is shown) for one in all_documents],
        caption=_caption(shown, preview if renderable and not preview.fault else None),
        image=f"{api_path}/pages/{preview.page}" if renderable and not preview.fault else "",
        download=f"/verifikasi/{loaded.id}/dokumen/{shown.id}",
        fault=preview.fault if renderable else fill(_texts.not_drawn, kind=_file_kind(shown)),
        previous=_link(_texts.previous, shown, preview.page - 1) if preview.page > 1 else None,
        next=_link(_texts.next, shown, preview.page + 1) if has_next else None,
    )


def _document_tab(document: DocumentRef, current_round: int, is_current: bool) -> ViewerLink:
    name = DOCUMENT_KIND_LABELS[document.kind] if document.kind in SINGULAR_KINDS else document.name
    is_new = document.round == current_round > 1 and document.kind in SUBMITTED_KINDS
    badge = fill(_texts.new, round=current_round) if is_new else ""
    return _link(name, document, 1, is_current=is_current, badge=badge)


def _link(label: str, document: DocumentRef, page: int, *, is_current: bool = False, badge: str = "") -> ViewerLink:
    url = f"?{urlencode({DOCUMENT_FIELD: document.id, PAGE_FIELD: page})}"
    return ViewerLink(label, url, f"{LOOK_BUTTON}:{document.id}:{page}", is_current, badge)


def _caption(document: DocumentRef, preview: PagePreview | None) -> str:
    about = fill(_texts.about, name=document.name, size=format_size(document.size))
    if preview is None:
        return about
    text = _texts.page_of if preview.pages else _texts.page
    return f"{about}, {fill(text, page=preview.page, pages=preview.pages)}"


def _file_kind(document: DocumentRef) -> str:
    return PurePosixPath(document.name).suffix[1:].upper() or document.media_type


def _parse_page_number(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() and text.isascii() and len(text) <= _MAX_NUMBER_LENGTH else 1
