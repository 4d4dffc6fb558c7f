"""The JSON API for applicants: no account, but the tracking token of the one request that a call is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from services.intake.domain import (
    ELEMENTS,
    MARKS,
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    State,
    WithdrawRequest,
)
from services.intake.fields import APPLICATION_FILES, CHANGES_FILES, Application, Changes
from services.intake.queries import document, opened_by, tracked
from services.intake.reception import Reception
from shared.calendar import today
from shared.contracts.facts import ChecklistItem
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.execution import Kept
from shared.runtime.service import ServiceRuntime
from shared.web.access import GuardedRoute, public, tracking_token
from shared.web.api_docs import form_schema
from shared.web.bodies import Body, FieldError
from shared.web.commands import OptionalText, Sentences, Text, obey, problem_of
from shared.web.downloads import download
from shared.web.labels import OPEN_ITEM_LABELS
from shared.web.live import live
from shared.web.problems import Problem, invalid
from shared.web.units import UNITS

UNKNOWN = "Permohonan ini tidak ditemukan. Periksa nomor registrasi dan kunci pelacakannya."
REQUIREMENTS = "requirements"

SENTENCES: Sentences = {
    "letter_missing": (422, "letter", "Surat Permohonan wajib diunggah."),
    "letters_many": (422, "letter", "Unggah satu Surat Permohonan saja."),
    "letter_in_future": (422, "letter_date", "Tanggal surat tidak boleh melewati hari ini."),
    "requirements_missing": (422, REQUIREMENTS, "Unggah paling sedikit satu Dokumen Persyaratan."),
    "requirements_many": (422, REQUIREMENTS, "Unggah paling banyak {most} Dokumen Persyaratan. Sekarang {count}."),
    "document_misplaced": (422, REQUIREMENTS, "Kirim hanya Surat Permohonan dan Dokumen Persyaratan."),
    "document_unknown": (422, "replaces", "Dokumen ini tidak ada pada permohonan Anda: {documents}."),
    "item_untouched": (422, "", "Yang diminta petugas belum dilengkapi: {items}."),
    "reason_missing": (422, "reason", "Alasan wajib diisi."),
    "text_missing": (422, "text", "Jawaban wajib diisi."),
    "answers_unfit": (422, "answers", "Jawab kesembilan unsur survei dengan nilai 1 sampai 4."),
    "survey_answered": (409, "", "Survei untuk permohonan ini sudah diisi pada {at}. Terima kasih."),
    "survey_closed": (409, "", "Survei untuk permohonan ini sudah ditutup."),
}

FIELD_OF: Mapping[ChecklistItem, str] = {
    ChecklistItem.FORM: "",
    ChecklistItem.LETTER: "letter",
    ChecklistItem.SCOPE: "scope",
    ChecklistItem.DOCUMENTS: REQUIREMENTS,
}
"""The field by which a failed item is completed."""


class Reason(Body):
    reason: Text


class Reply(Body):
    text: Text


class Nothing(Body):
    """No fields: the call says all."""


Mark = Annotated[int, Field(ge=MARKS.start, lt=MARKS.stop)]


class Survey(Body):
    """Elements U1 to U9 of the satisfaction survey, each from 1 to 4."""

    answers: Annotated[tuple[Mark, ...], Field(min_length=ELEMENTS, max_length=ELEMENTS)]
    comment: OptionalText = ""


class Moved(BaseModel):
    """Where the request stands now."""

    id: str
    number: str
    status: str
    version: int


class Warned(BaseModel):
    code: str
    message: str


class Registered(Moved):
    """`tracking_token` is the applicant's key to the request from now on."""

    tracking_token: str
    warnings: list[Warned]


def router(runtime: ServiceRuntime[State], platform: Platform) -> APIRouter:
    """Every route of the API that needs no account."""
    routes = APIRouter(prefix="/api", tags=["intake"], route_class=GuardedRoute)

    @routes.get("/units", dependencies=[Depends(public())])
    async def list_units() -> dict[str, Any]:
        """The work units that a form offers; any other may be written instead."""
        return {"items": [asdict(unit) for unit in UNITS if unit.active]}

    _add_forms(routes, runtime, platform)
    _add_looks(routes, runtime, platform)
    _add_answers(routes, runtime, platform)
    return routes


def _opening(runtime: ServiceRuntime[State], platform: Platform) -> Any:
    """A dependency: the request with this number, for whoever holds its token."""

    async def opened(number: str, token: Annotated[str, Depends(tracking_token)]) -> Kept[State]:
        kept = await opened_by(runtime.executor, platform.tracking, number, token)
        if kept is None:
            raise Problem(404, UNKNOWN)
        return kept

    return Depends(opened)


def _add_forms(routes: APIRouter, runtime: ServiceRuntime[State], platform: Platform) -> None:
    reception = Reception(runtime.executor, runtime.store, platform)
    opened = _opening(runtime, platform)

    @routes.post(
        "/requests",
        status_code=201,
        response_model=Registered,
        dependencies=[Depends(public())],
        openapi_extra=form_schema(Application, APPLICATION_FILES),
    )
    async def submit(request: Request) -> dict[str, Any]:
        """Send a new request; the answer holds its number and the key to follow it with."""
        try:
            return await reception.submit(request)
        except Refusal as refusal:
            raise refused(refusal, 0) from refusal

    @routes.post(
        "/requests/{number}/resubmission",
        response_model=Moved,
        openapi_extra=form_schema(Changes, CHANGES_FILES),
    )
    async def resubmit(request: Request, kept: Kept[State] = opened) -> dict[str, Any]:
        """Complete a returned request: only what changes, new files, and in `replaces` the documents that they stand for."""
        try:
            return await reception.resubmit(request, kept)
        except Refusal as refusal:
            now = await runtime.executor.read(kept.id)
            raise refused(refusal, now.version if now else 0) from refusal


def refused(refusal: Refusal, version: int) -> Problem:
    """The refusal as the applicant reads it; items that wait are named one by one, each at its field."""
    if refusal.code != "item_untouched":
        return problem_of(refusal, SENTENCES, version)
    waiting: tuple[ChecklistItem, ...] = refusal.facts["items"]
    return invalid(
        FieldError(FIELD_OF[item], f"{OPEN_ITEM_LABELS[item]}. Ubah bagian ini sebelum mengirim ulang.")
        for item in waiting
    )


def _add_looks(routes: APIRouter, runtime: ServiceRuntime[State], platform: Platform) -> None:
    opened = _opening(runtime, platform)

    @routes.get("/requests/{number}")
    async def track(kept: Kept[State] = opened) -> dict[str, Any]:
        """Where the request stands, what happened, what is awaited, and its documents."""
        return {"id": kept.id, "version": kept.version, **tracked(kept.state, today(platform.clock()))}

    @routes.get("/requests/{number}/documents/{document_id}")
    async def download_document(document_id: str, kept: Kept[State] = opened) -> Response:
        """A document of the request, as an attachment."""
        who = f"the applicant of {kept.state.number}"
        return await download(platform.documents, document(kept.state, document_id), who)

    @routes.get("/intake/live")
    async def follow(request: Request, kept: Kept[State] = opened) -> Response:
        """Server-sent events: to what version the request with `number` has changed."""

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            now = await runtime.executor.read(request_id) if request_id == kept.id else None
            return {"number": now.state.number, "status": now.state.status.value} if now else None

        return await live(request, runtime.store, allowed)


def _add_answers(routes: APIRouter, runtime: ServiceRuntime[State], platform: Platform) -> None:
    opened = _opening(runtime, platform)

    async def told(request: Request, kept: Kept[State], command: object, *parts: Body) -> dict[str, Any]:
        return await obey(request, runtime.executor, kept.id, command, kept.state.number, SENTENCES, *parts)

    @routes.post("/requests/{number}/withdrawal", response_model=Moved)
    async def withdraw(request: Request, body: Reason, kept: Kept[State] = opened) -> dict[str, Any]:
        """Withdraw the request, as long as nothing was handed over."""
        return await told(request, kept, WithdrawRequest(body.reason), body)

    @routes.post("/requests/{number}/answer", response_model=Moved)
    async def answer(request: Request, body: Reply, kept: Kept[State] = opened) -> dict[str, Any]:
        """Answer the lead's question; work goes on."""
        return await told(request, kept, AnswerQuestion(body.text), body)

    @routes.post("/requests/{number}/confirmation", response_model=Moved)
    async def confirm(request: Request, body: Nothing | None = None, kept: Kept[State] = opened) -> dict[str, Any]:
        """Accept what was handed over; no body is needed."""
        return await told(request, kept, ConfirmHandover())

    @routes.post("/requests/{number}/objection", response_model=Moved)
    async def contest(request: Request, body: Reason, kept: Kept[State] = opened) -> dict[str, Any]:
        """Object to what was handed over; work goes on."""
        return await told(request, kept, ContestHandover(body.reason), body)

    @routes.post("/requests/{number}/survey", response_model=Moved)
    async def survey(request: Request, body: Survey, kept: Kept[State] = opened) -> dict[str, Any]:
        """Answer the satisfaction survey, once."""
        return await told(request, kept, AnswerSurvey(body.answers, body.comment), body)
