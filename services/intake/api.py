"""The JSON API for applicants: no account, but the tracking token of the one request that a call is about."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.intake.domain.commands import (
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    WithdrawRequest,
)
from services.intake.domain.state import State
from services.intake.errors import UNKNOWN
from services.intake.presenters import document, tracked
from services.intake.schemas import (
    RESUBMISSION_FILES,
    SUBMISSION_FILES,
    AnswerBody,
    EmptyBody,
    ReasonBody,
    ResubmissionForm,
    SubmissionForm,
    SurveyBody,
    TrackingLinkBody,
)
from services.intake.service import IntakeService
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.web.api.commands import CommandResponse
from shared.web.api.docs import multipart_request_body
from shared.web.api.live import live
from shared.web.api.openapi import DOWNLOAD_RESPONSES, STREAM_RESPONSES
from shared.web.api.problems import Problem
from shared.web.auth.access import GuardedRoute, public, tracking_token
from shared.web.http.downloads import download
from shared.web.views.labels import STATUS_LABELS
from shared.work_units import WORK_UNITS


class WarningMessage(BaseModel):
    code: str
    message: str


class SubmissionReceipt(CommandResponse):
    """`tracking_token` is the applicant's key to the request from now on."""

    tracking_token: str
    warnings: list[WarningMessage]


def router(desk: IntakeService) -> APIRouter:
    """Every route of the API that needs no account."""
    routes = APIRouter(prefix="/api", tags=["intake"], route_class=GuardedRoute)

    @routes.get("/units", dependencies=[Depends(public())])
    async def list_units() -> dict[str, Any]:
        """The work units that a form offers; any other may be written instead."""
        return {"items": [asdict(unit) for unit in WORK_UNITS if unit.active]}

    @routes.post("/links", dependencies=[Depends(public())])
    async def mail_links(body: TrackingLinkBody) -> Response:
        """Mail the tracking links of an address to it again; the answer is {} whether or not any request has this address."""
        return JSONResponse({}, background=desk.link_email_task(body.email))

    _add_forms(routes, desk)
    _add_looks(routes, desk)
    _add_answers(routes, desk)
    return routes


def _opening(desk: IntakeService) -> Any:
    """A dependency: the request with this number, for whoever holds its token."""

    async def opened(number: str, token: Annotated[str, Depends(tracking_token)]) -> Loaded[State]:
        loaded = await desk.opened(number, token)
        if loaded is None:
            raise Problem(404, UNKNOWN)
        return loaded

    return Depends(opened)


def _add_forms(routes: APIRouter, desk: IntakeService) -> None:
    opened = _opening(desk)

    @routes.post(
        "/requests",
        status_code=201,
        response_model=SubmissionReceipt,
        dependencies=[Depends(public())],
        openapi_extra=multipart_request_body(SubmissionForm, SUBMISSION_FILES),
    )
    async def submit(request: Request) -> dict[str, Any]:
        """Send a new request; the answer holds its number and the key to follow it with."""
        try:
            return await desk.reception.submit(request)
        except Refusal as refusal:
            raise await desk.problem_of(refusal) from refusal

    @routes.post(
        "/requests/{number}/resubmission",
        response_model=CommandResponse,
        openapi_extra=multipart_request_body(ResubmissionForm, RESUBMISSION_FILES),
    )
    async def resubmit(request: Request, loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Complete a returned request: only what changes, new files, and in `replaces` the documents that they stand for."""
        try:
            return await desk.reception.resubmit(request, loaded)
        except Refusal as refusal:
            raise await desk.problem_of(refusal, loaded.id) from refusal


def _add_looks(routes: APIRouter, desk: IntakeService) -> None:
    opened = _opening(desk)

    @routes.get("/requests/{number}")
    async def track(loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Where the request stands, what happened, what is awaited, and its documents."""
        return {"id": loaded.id, "version": loaded.version, **tracked(loaded.state, desk.day)}

    @routes.get("/requests/{number}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
    async def download_document(document_id: str, request: Request, loaded: Loaded[State] = opened) -> Response:
        """A document of the request, as an attachment."""
        who = f"the applicant of {loaded.state.number}"
        return await download(request, desk.platform.documents, document(loaded.state, document_id), who)

    @routes.get("/intake/live", response_class=Response, responses=STREAM_RESPONSES)
    async def follow(request: Request, loaded: Loaded[State] = opened) -> Response:
        """Server-sent events: to what version the request with `number` has changed."""

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            now = await desk.executor.read(request_id) if request_id == loaded.id else None
            if now is None:
                return None
            status = now.state.status
            return {"number": now.state.number, "status": status.value, "label": STATUS_LABELS[status]}

        return await live(request, desk.store, allowed, reader=loaded.id)


def _add_answers(routes: APIRouter, desk: IntakeService) -> None:
    opened = _opening(desk)

    @routes.post("/requests/{number}/withdrawal", response_model=CommandResponse)
    async def withdraw(request: Request, body: ReasonBody, loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Withdraw the request, as long as nothing was handed over."""
        return await desk.execute_command(request, loaded, WithdrawRequest(body.reason), body)

    @routes.post("/requests/{number}/answer", response_model=CommandResponse)
    async def answer(request: Request, body: AnswerBody, loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Answer the lead's question; work goes on."""
        return await desk.execute_command(request, loaded, AnswerQuestion(body.text), body)

    @routes.post("/requests/{number}/confirmation", response_model=CommandResponse)
    async def confirm(
        request: Request, body: EmptyBody | None = None, loaded: Loaded[State] = opened
    ) -> dict[str, Any]:
        """Accept what was handed over; no body is needed."""
        return await desk.execute_command(request, loaded, ConfirmHandover())

    @routes.post("/requests/{number}/objection", response_model=CommandResponse)
    async def contest(request: Request, body: ReasonBody, loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Object to what was handed over; work goes on."""
        return await desk.execute_command(request, loaded, ContestHandover(body.reason), body)

    @routes.post("/requests/{number}/survey", response_model=CommandResponse)
    async def survey(request: Request, body: SurveyBody, loaded: Loaded[State] = opened) -> dict[str, Any]:
        """Answer the satisfaction survey, once."""
        return await desk.execute_command(request, loaded, AnswerSurvey(body.answers, body.comment), body)
