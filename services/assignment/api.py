"""The JSON API of assignment, for the structural head and the leads: who does the work, by when, and how it goes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from services.assignment.completion import FILES, Completion, told
from services.assignment.desk import Desk
from services.assignment.domain import (
    AssignLead,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    ResumeWork,
    StartWork,
)
from services.assignment.fields import (
    Assignment,
    Nothing,
    Pause,
    Progress,
    Reassignment,
    Rejection,
    Resume,
    Summary,
    WorkQuery,
)
from services.assignment.queries import document, find_requests, full, item
from services.assignment.sentences import SENTENCES
from shared.calendar import today
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.decider import Refusal
from shared.web.access import GuardedRoute, signed_in
from shared.web.api_docs import form_schema
from shared.web.commands import Moved, problem_of, shown
from shared.web.downloads import download
from shared.web.idempotency import command_key, digest_of
from shared.web.labels import STATUS_LABELS
from shared.web.lists import page_of
from shared.web.live import live
from shared.web.openapi import DOWNLOAD, STREAM
from shared.web.uploads import read_form

Head = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL))]
Technical = Annotated[Principal, Depends(signed_in(Role.TECHNICAL))]
Reader = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL, Role.TECHNICAL))]


def router(desk: Desk, completion: Completion) -> APIRouter:
    """Routes under /api/assignment."""
    routes = APIRouter(prefix="/api/assignment", tags=["assignment"], route_class=GuardedRoute)
    _reading(routes, desk)
    _appointing(routes, desk)
    _working(routes, desk)
    _completing(routes, desk, completion)
    _following(routes, desk)
    return routes


def _reading(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/requests")
    async def list_requests(query: Annotated[WorkQuery, Query()], reader: Reader) -> dict[str, Any]:
        """Requests in the order in which they were submitted; technical staff find their own."""
        lead = query.lead if reader.has(Role.STRUCTURAL) else reader.username
        if query.lead not in ("", lead):
            return {"items": [], "next": None, "previous": None}
        day = today(desk.platform.clock())
        find = find_requests(
            status=query.status or "",
            lead=lead,
            overdue_on=day if query.overdue else None,
            search=query.search,
            after=query.after_key,
            before=query.before_key,
            limit=query.limit,
        )
        return page_of(await desk.executor.find(find), lambda kept: item(kept, day))

    @routes.get("/requests/{id}")
    async def show_request(id: str, reader: Reader) -> dict[str, Any]:
        """Everything that was sent, what officers advised, and how the work stands."""
        return full(await desk.readable(id, reader), today(desk.platform.clock()))

    @routes.get("/requests/{id}/documents/{document_id}", response_class=Response, responses=DOWNLOAD)
    async def download_document(id: str, document_id: str, reader: Reader, request: Request) -> Response:
        """The document itself, as it was sent or handed over."""
        kept = await desk.readable(id, reader)
        found = document(kept.state, document_id)
        return await download(request, desk.platform.documents, found, reader.username)


def _appointing(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/leads")
    async def list_leads(head: Head) -> dict[str, Any]:
        """The active technical staff, with how much open and overdue work each has."""
        return {"items": await desk.loads(), "next": None, "previous": None}

    @routes.post("/requests/{id}/rejection", response_model=Moved)
    async def reject(id: str, body: Rejection, head: Head, request: Request) -> dict[str, Any]:
        """Reject a request that was submitted or verified; the applicant is told the reason."""
        await desk.known(id)
        return await desk.obey(request, id, RejectRequest(head.staff, body.reason), head, body)

    @routes.post("/requests/{id}/assignment", response_model=Moved)
    async def assign(id: str, body: Assignment, head: Head, request: Request) -> dict[str, Any]:
        """Appoint the technical lead of a verified request."""
        await desk.known(id)
        lead = await desk.technician(body.lead)
        command = AssignLead(head.staff, lead, body.complexity, body.target_date, body.note)
        return await desk.obey(request, id, command, head, body)

    @routes.post("/requests/{id}/reassignment", response_model=Moved)
    async def reassign(id: str, body: Reassignment, head: Head, request: Request) -> dict[str, Any]:
        """Replace the technical lead while the work goes on."""
        await desk.known(id)
        lead = await desk.technician(body.lead)
        return await desk.obey(request, id, ReassignLead(head.staff, lead, body.reason, body.target_date), head, body)


def _working(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/requests/{id}/start", response_model=Moved)
    async def start(id: str, lead: Technical, request: Request, body: Nothing | None = None) -> dict[str, Any]:
        """Begin the work."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, StartWork(lead.staff), lead, body or Nothing())

    @routes.post("/requests/{id}/progress", response_model=Moved)
    async def progress(id: str, body: Progress, lead: Technical, request: Request) -> dict[str, Any]:
        """Note how far the work is; the applicant reads it too."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, NoteProgress(lead.staff, body.note, body.percent), lead, body)

    @routes.post("/requests/{id}/pause", response_model=Moved)
    async def pause(id: str, body: Pause, lead: Technical, request: Request) -> dict[str, Any]:
        """Ask the applicant and wait; the clock of the target stops."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, PauseWork(lead.staff, body.question), lead, body)

    @routes.post("/requests/{id}/resume", response_model=Moved)
    async def resume(id: str, lead: Technical, request: Request, body: Resume | None = None) -> dict[str, Any]:
        """Go on without the applicant's answer; the target moves by the working days that were lost."""
        await desk.work_of(id, lead)
        said = body or Resume()
        return await desk.obey(request, id, ResumeWork(lead.staff, said.note), lead, said)


def _completing(routes: APIRouter, desk: Desk, completion: Completion) -> None:
    @routes.post("/requests/{id}/completion", response_model=Moved, openapi_extra=form_schema(Summary, FILES))
    async def complete(id: str, lead: Technical, request: Request) -> dict[str, Any]:
        """Hand over: a form with `summary` and 1 to 20 `documents`; the handover record is drawn and added."""
        await desk.work_of(id, lead)
        async with read_form(request, Summary, FILES, completion.limits) as form:
            key = command_key(request, f"{lead.username}\n{id}", digest_of(*await told(form)))
            kept = await desk.work_of(id, lead)
            try:
                return shown(await completion.complete(kept, lead.staff, form, key))
            except Refusal as refusal:
                kept = await desk.known(id)
                raise problem_of(refusal, SENTENCES, kept.version) from refusal


def _following(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/live", response_class=Response, responses=STREAM)
    async def follow(reader: Reader, request: Request) -> Response:
        """Server-sent events: which request changed, to what version; technical staff hear of their own, and of its loss."""

        async def still_allowed() -> bool:
            return await desk.platform.identity.still_signed_in(reader)

        async def allowed(id: str, version: int) -> dict[str, Any] | None:
            kept = await desk.executor.read(id)
            if kept is None or not desk.concerns(kept.state, reader):
                return None
            status = kept.state.status
            return {"number": kept.state.number, "status": status, "label": STATUS_LABELS[status]}

        return await live(request, desk.store, allowed, still_allowed, reader=reader)
