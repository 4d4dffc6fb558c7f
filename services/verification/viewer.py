"""The documents beside the checklist: one at a time, page by page, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlencode

from starlette.requests import Request

from services.verification.desk import Desk, Look
from services.verification.domain import State
from services.verification.queries import documents
from services.verification.sentences import WORDS
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.pages import DRAWABLE
from shared.runtime.execution import Kept
from shared.web.labels import DOCUMENT_KIND_LABELS
from shared.web.posted import Posted
from shared.web.sizes import size_words
from shared.web.words import fill

LOOK = "look"
DOCUMENT, PAGE = "dokumen", "halaman"
ONE_OF_ITS_KIND = frozenset({DocumentKind.LETTER, DocumentKind.HANDOVER_RECORD})
SENT = frozenset({DocumentKind.LETTER, DocumentKind.REQUIREMENT})
_LONGEST_NUMBER = 6
_words = WORDS.viewer


@dataclass(frozen=True, slots=True)
class Way:
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
    look: Look
    tabs: Sequence[Way]
    about: str
    image: str
    download: str
    fault: str
    previous: Way | None
    next: Way | None


def asked_for(request: Request, posted: Posted) -> tuple[str, int]:
    """The document and page that a button, the form or the address names, "" and 1 if none does."""
    order, _, rest = posted.button.partition(":")
    if order == LOOK and rest:
        document, _, page = rest.partition(":")
        return document, _number(page)
    if posted.text(DOCUMENT):
        return posted.text(DOCUMENT), _number(posted.text(PAGE))
    return request.query_params.get(DOCUMENT, ""), _number(request.query_params.get(PAGE, ""))


async def view(desk: Desk, kept: Kept[State], document_id: str, page: int) -> Viewer | None:
    """The document, or the letter, which comes first, if this is none of the request's; None for a request without documents."""
    all_documents = sorted(documents(kept.state), key=lambda each: each.kind is not DocumentKind.LETTER)
    shown = next((each for each in all_documents if each.id == document_id), next(iter(all_documents), None))
    if shown is None:
        return None
    drawable = shown.media_type in DRAWABLE
    look = await desk.look(shown, page if shown.id == document_id else 1) if drawable else Look(1)
    there = f"/api/verification/requests/{kept.id}/documents/{shown.id}"
    more = drawable and not look.fault and (look.pages is None or look.page < look.pages)
    return Viewer(
        document=shown,
        look=look,
        tabs=[_tab(each, kept.state.course.round, each is shown) for each in all_documents],
        about=_about(shown, look if drawable and not look.fault else None),
        image=f"{there}/pages/{look.page}" if drawable and not look.fault else "",
        download=f"/verifikasi/{kept.id}/dokumen/{shown.id}",
        fault=look.fault if drawable else fill(_words.not_drawn, kind=_kind(shown)),
        previous=_way(_words.previous, shown, look.page - 1) if look.page > 1 else None,
        next=_way(_words.next, shown, look.page + 1) if more else None,
    )


def _tab(document: DocumentRef, round: int, chosen: bool) -> Way:
    name = DOCUMENT_KIND_LABELS[document.kind] if document.kind in ONE_OF_ITS_KIND else document.name
    new = document.round == round > 1 and document.kind in SENT
    about = fill(_words.new, round=round) if new else ""
    return _way(name, document, 1, chosen=chosen, about=about)


def _way(label: str, document: DocumentRef, page: int, *, chosen: bool = False, about: str = "") -> Way:
    address = f"?{urlencode({DOCUMENT: document.id, PAGE: page})}"
    return Way(label, address, f"{LOOK}:{document.id}:{page}", chosen, about)


def _about(document: DocumentRef, look: Look | None) -> str:
    about = fill(_words.about, name=document.name, size=size_words(document.size))
    if look is None:
        return about
    words = _words.page_of if look.pages else _words.page
    return f"{about}, {fill(words, page=look.page, pages=look.pages)}"


def _kind(document: DocumentRef) -> str:
    return PurePosixPath(document.name).suffix[1:].upper() or document.media_type


def _number(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() and text.isascii() and len(text) <= _LONGEST_NUMBER else 1
