"""The JSON API of verification, for officers: the queue, what was sent, and the decisions on it."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.verification.domain import (
    Command,
    RecommendRejection,
    ReturnRequest,
    Rules,
    State,
    VerifyRequest,
)
from services.verification.queries import document, find_requests, full, item
from shared.calendar import today
from shared.contracts.course import Status
from shared.contracts.facts import ChecklistItem, DocumentRef, Scope, Verdict
from shared.documents.pages import DRAWABLE, NoSuchPage, PageImage, PageImages, TookTooLong, Unrenderable
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.platform import Platform
from shared.runtime.execution import Kept
from shared.runtime.service import ServiceRuntime
from shared.web.access import GuardedRoute, signed_in
from shared.web.bodies import Body, FieldError
from shared.web.commands import OptionalText, Sentences, Text, obey
from shared.web.downloads import download
from shared.web.lists import ListQuery, page_of
from shared.web.live import live
from shared.web.problems import Problem, invalid

logger = logging.getLogger(__name__)

Officer = Annotated[Principal, Depends(signed_in(Role.OFFICER))]

PREFIX = "/api/verification"
UNKNOWN = "Permohonan itu tidak ditemukan."
NOT_DRAWABLE = "Hanya PDF, PNG, dan JPEG yang dapat ditampilkan per halaman. Silakan unduh dokumennya."

SENTENCES: Sentences = {
    "items_missing": (422, "checklist", "Setiap butir pemeriksaan perlu dinilai. Belum dinilai: {items}."),
    "item_duplicate": (422, "checklist", "Nilai setiap butir satu kali saja. Dinilai lebih dari sekali: {items}."),
    "note_missing": (422, "checklist", "Tulis catatan untuk setiap butir yang belum terpenuhi: {items}."),
    "item_failed": (
        422,
        "checklist",
        "Permohonan baru dapat dinyatakan lengkap bila semua butir terpenuhi. Belum terpenuhi: {items}.",
    ),
    "nothing_failed": (
        422,
        "checklist",
        "Semua butir terpenuhi, jadi tidak ada yang perlu dilengkapi. Tandai butir yang belum terpenuhi.",
    ),
    "warning_open": (
        422,
        "acknowledged_warnings",
        "Akui setiap peringatan tentang Nomor Pegawai sebelum menyatakan lengkap: {warnings}.",
    ),
    "reason_missing": (422, "reason", "Wajib diisi."),
    "already_recommended": (409, "", "Penolakan sudah disarankan oleh {by} pada {at}; saran Anda tidak disimpan."),
}


class QueueQuery(ListQuery):
    """`unit` is the whole name of a work unit; every word of `search` occurs in the number, the name or the unit."""

    status: Status | None = None
    unit: str = Field("", max_length=200)
    scope: Scope | None = None
    search: str = Field("", max_length=200)


class Finding(Body):
    """What was found on one item; a failed one says what is missing."""

    item: ChecklistItem
    ok: bool
    note: Annotated[OptionalText, Field(max_length=500)] = ""


Findings = Annotated[tuple[Finding, ...], Field(max_length=20)]


class Verification(Body):
    """`acknowledged_warnings` are the codes of the request's warnings."""

    checklist: Findings
    acknowledged_warnings: Annotated[tuple[str, ...], Field(max_length=20)] = ()


class Return(Body):
    checklist: Findings


class Recommendation(Body):
    reason: Text


def verdicts(findings: Findings) -> tuple[Verdict, ...]:
    return tuple(Verdict(item=finding.item, ok=finding.ok, note=finding.note) for finding in findings)


class Desk:
    """What an officer's calls have in common."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform, images: PageImages):
        self.executor, self.platform, self._images = runtime.executor, platform, images

    async def known(self, id: str) -> Kept[State]:
        """Raises Problem 404 for a request that was not heard of."""
        kept = await self.executor.read(id)
        if kept is None or not kept.state.number:
            raise Problem(404, UNKNOWN)
        return kept

    async def obey(self, request: Request, id: str, command: Command, body: Body) -> dict[str, Any]:
        await self.known(id)
        return await obey(request, self.executor, id, command, command.by.username, SENTENCES, body)

    async def drawn(self, found: DocumentRef | None, page: int, officer: Principal) -> PageImage:
        """Raises Problem 404, 415 or 422, DocumentMissing."""
        if found is None:
            raise Problem(404, "Dokumen itu tidak ditemukan pada permohonan ini.")
        if found.media_type not in DRAWABLE:
            raise Problem(415, NOT_DRAWABLE)
        pieces = await self.platform.documents.open(found.key)
        logger.info("%s looked at page %d of document %s", officer.username, page, found.id)
        try:
            return await self._images.draw(pieces, found.media_type, page)
        except NoSuchPage as error:
            raise Problem(404, error.message) from error
        except (Unrenderable, TookTooLong) as error:
            raise invalid([FieldError("page", error.message)]) from error


def router(runtime: ServiceRuntime[State], platform: Platform, rules: Rules, images: PageImages) -> APIRouter:
    """Routes under /api/verification."""
    routes = APIRouter(prefix=PREFIX, tags=["verification"], route_class=GuardedRoute)
    desk = Desk(runtime, platform, images)
    _reading(routes, desk, rules)
    _documents(routes, desk)
    _deciding(routes, desk)
    _following(routes, desk, runtime)
    return routes


def _reading(routes: APIRouter, desk: Desk, rules: Rules) -> None:
    @routes.get("/requests")
    async def list_requests(query: Annotated[QueueQuery, Query()], officer: Officer) -> dict[str, Any]:
        """The queue, those that have waited longest in their present round first."""
        find = find_requests(
            status=query.status or "",
            unit=query.unit,
            scope=query.scope or "",
            search=query.search,
            after=query.after_key,
            before=query.before_key,
            limit=query.limit,
        )
        day = today(desk.platform.clock())
        return page_of(await desk.executor.find(find), lambda kept: item(kept, day, rules))

    @routes.get("/requests/{id}")
    async def show_request(id: str, officer: Officer) -> dict[str, Any]:
        """Everything that was sent, with what is to be checked and what is odd."""
        return full(await desk.known(id), today(desk.platform.clock()), rules)


def _documents(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/requests/{id}/documents/{document_id}", response_class=Response)
    async def download_document(id: str, document_id: str, officer: Officer) -> Response:
        """The document itself, as it was sent."""
        kept = await desk.known(id)
        return await download(desk.platform.documents, document(kept.state, document_id), officer.username)

    @routes.get("/requests/{id}/documents/{document_id}/pages/{page}", response_class=Response)
    async def show_page(id: str, document_id: str, page: int, officer: Officer) -> Response:
        """One page of a PDF, PNG or JPEG as a picture; `Link` names the next one."""
        found = document((await desk.known(id)).state, document_id)
        image = await desk.drawn(found, page, officer)
        here = f"{PREFIX}/requests/{id}/documents/{document_id}/pages"
        more = {"Link": f'<{here}/{page + 1}>; rel="next"'} if page < image.pages else {}
        return Response(image.png, headers=more, media_type="image/png")


def _deciding(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/requests/{id}/verification")
    async def verify(id: str, body: Verification, officer: Officer, request: Request) -> dict[str, Any]:
        """Declare the request complete: every item is right and every warning was seen."""
        command = VerifyRequest(officer.staff, verdicts(body.checklist), body.acknowledged_warnings)
        return await desk.obey(request, id, command, body)

    @routes.post("/requests/{id}/return")
    async def return_to_applicant(id: str, body: Return, officer: Officer, request: Request) -> dict[str, Any]:
        """Give the request back to be completed: at least one item is not right, with a note on what is missing."""
        return await desk.obey(request, id, ReturnRequest(officer.staff, verdicts(body.checklist)), body)

    @routes.post("/requests/{id}/recommendation")
    async def recommend(id: str, body: Recommendation, officer: Officer, request: Request) -> dict[str, Any]:
        """Advise the structural head to reject the request."""
        return await desk.obey(request, id, RecommendRejection(officer.staff, body.reason), body)


def _following(routes: APIRouter, desk: Desk, runtime: ServiceRuntime[State]) -> None:
    @routes.get("/live", response_class=Response)
    async def follow(officer: Officer, request: Request) -> Response:
        """Server-sent events: which request changed, to what version."""

        async def still_allowed() -> bool:
            return await desk.platform.identity.still_signed_in(officer)

        async def allowed(id: str, version: int) -> dict[str, Any] | None:
            kept = await desk.executor.read(id)
            return {"number": kept.state.number, "status": kept.state.status} if kept and kept.state.number else None

        return await live(request, runtime.store, allowed, still_allowed)
