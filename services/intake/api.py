"""The JSON API for applicants: no account, but the tracking token of the one request that a call is about."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.intake.desk import Desk
from services.intake.domain import (
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    State,
    WithdrawRequest,
)
from services.intake.fields import (
    APPLICATION_FILES,
    CHANGES_FILES,
    Application,
    Changes,
    LostLink,
    Nothing,
    Reason,
    Reply,
    Survey,
)
from services.intake.queries import document, tracked
from services.intake.sentences import UNKNOWN
from shared.runtime.decider import Refusal
from shared.runtime.execution import Kept
from shared.web.access import GuardedRoute, public, tracking_token
from shared.web.api_docs import form_schema
from shared.web.commands import Moved
from shared.web.downloads import download
from shared.web.labels import STATUS_LABELS
from shared.web.live import live
from shared.web.openapi import DOWNLOAD, STREAM
from shared.web.problems import Problem
from shared.web.units import UNITS


class Warned(BaseModel):
    code: str
    message: str


class Registered(Moved):
    """`tracking_token` is the applicant's key to the request from now on."""

    tracking_token: str
    warnings: list[Warned]


def router(desk: Desk) -> APIRouter:
    """Every route of the API that needs no account."""
    routes = APIRouter(prefix="/api", tags=["intake"], route_class=GuardedRoute)

    @routes.get("/units", dependencies=[Depends(public())])
    async def list_units() -> dict[str, Any]:
        """The work units that a form offers; any other may be written instead."""
        return {"items": [asdict(unit) for unit in UNITS if unit.active]}

    @routes.post("/links", dependencies=[Depends(public())])
    async def mail_links(body: LostLink) -> Response:
        """Mail the tracking links of an address to it again; the answer is {} whether or not any request has this address."""
        return JSONResponse({}, background=desk.mailing_links(body.email))

    _add_forms(routes, desk)
    _add_looks(routes, desk)
    _add_answers(routes, desk)
    return routes


def _opening(desk: Desk) -> Any:
    """A dependency: the request with this number, for whoever holds its token."""

    async def opened(number: str, token: Annotated[str, Depends(tracking_token)]) -> Kept[State]:
        kept = await desk.opened(number, token)
        if kept is None:
            raise Problem(404, UNKNOWN)
        return kept

    return Depends(opened)


def _add_forms(routes: APIRouter, desk: Desk) -> None:
    opened = _opening(desk)

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
            return await desk.reception.submit(request)
        except Refusal as refusal:
            raise await desk.problem_of(refusal) from refusal

    @routes.post(
        "/requests/{number}/resubmission",
        response_model=Moved,
        openapi_extra=form_schema(Changes, CHANGES_FILES),
    )
    async def resubmit(request: Request, kept: Kept[State] = opened) -> dict[str, Any]:
        """Complete a returned request: only what changes, new files, and in `replaces` the documents that they stand for."""
        try:
            return await desk.reception.resubmit(request, kept)
        except Refusal as refusal:
            raise await desk.problem_of(refusal, kept.id) from refusal


def _add_looks(routes: APIRouter, desk: Desk) -> None:
    opened = _opening(desk)

    @routes.get("/requests/{number}")
    async def track(kept: Kept[State] = opened) -> dict[str, Any]:
        """Where the request stands, what happened, what is awaited, and its documents."""
        return {"id": kept.id, "version": kept.version, **tracked(kept.state, desk.day)}

    @routes.get("/requests/{number}/documents/{document_id}", response_class=Response, responses=DOWNLOAD)
    async def download_document(document_id: str, request: Request, kept: Kept[State] = opened) -> Response:
        """A document of the request, as an attachment."""
        who = f"the applicant of {kept.state.number}"
        return await download(request, desk.platform.documents, document(kept.state, document_id), who)

    @routes.get("/intake/live", response_class=Response, responses=STREAM)
    async def follow(request: Request, kept: Kept[State] = opened) -> Response:
        """Server-sent events: to what version the request with `number` has changed."""

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            now = await desk.executor.read(request_id) if request_id == kept.id else None
            if now is None:
                return None
            status = now.state.status
            return {"number": now.state.number, "status": status.value, "label": STATUS_LABELS[status]}

        return await live(request, desk.store, allowed, reader=kept.id)


def _add_answers(routes: APIRouter, desk: Desk) -> None:
    opened = _opening(desk)

    @routes.post("/requests/{number}/withdrawal", response_model=Moved)
    async def withdraw(request: Request, body: Reason, kept: Kept[State] = opened) -> dict[str, Any]:
        """Withdraw the request, as long as nothing was handed over."""
        return await desk.obey(request, kept, WithdrawRequest(body.reason), body)

    @routes.post("/requests/{number}/answer", response_model=Moved)
    async def answer(request: Request, body: Reply, kept: Kept[State] = opened) -> dict[str, Any]:
        """Answer the lead's question; work goes on."""
        return await desk.obey(request, kept, AnswerQuestion(body.text), body)

    @routes.post("/requests/{number}/confirmation", response_model=Moved)
    async def confirm(request: Request, body: Nothing | None = None, kept: Kept[State] = opened) -> dict[str, Any]:
        """Accept what was handed over; no body is needed."""
        return await desk.obey(request, kept, ConfirmHandover())

    @routes.post("/requests/{number}/objection", response_model=Moved)
    async def contest(request: Request, body: Reason, kept: Kept[State] = opened) -> dict[str, Any]:
        """Object to what was handed over; work goes on."""
        return await desk.obey(request, kept, ContestHandover(body.reason), body)

    @routes.post("/requests/{number}/survey", response_model=Moved)
    async def survey(request: Request, body: Survey, kept: Kept[State] = opened) -> dict[str, Any]:
        """Answer the satisfaction survey, once."""
        return await desk.obey(request, kept, AnswerSurvey(body.answers, body.comment), body)
