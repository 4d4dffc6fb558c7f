"""The JSON API of assignment, for the structural head and the leads: who does the work, by when, and how it goes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from services.assignment.domain.commands import (
    AssignLead,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    ResumeWork,
    StartWork,
)
from services.assignment.errors import REFUSAL_MESSAGES
from services.assignment.handover_service import FILE_RULES, HandoverService, digest_parts
from services.assignment.presenters import document, full, item
from services.assignment.projections import find_requests
from services.assignment.schemas import (
    Assignment,
    AssignmentRequestResponse,
    Pause,
    Progress,
    Reassignment,
    Rejection,
    Resume,
    Summary,
    WorkloadResponse,
    WorkQuery,
)
from services.assignment.service import AssignmentService
from shared.calendar import today
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.decider import Refusal
from shared.web.api.commands import CommandResponse, command_result, refusal_problem
from shared.web.api.idempotency import command_key, request_digest
from shared.web.api.lists import PageResponse, page_response
from shared.web.api.live import live
from shared.web.api.openapi import DOWNLOAD_RESPONSES, STREAM_RESPONSES, multipart_request_body
from shared.web.api.serializers import RequestSummaryResponse
from shared.web.api.validation import EmptyBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.forms.uploads import read_form
from shared.web.http.downloads import download
from shared.web.views.labels import STATUS_LABELS

Head = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL))]
Technical = Annotated[Principal, Depends(signed_in(Role.TECHNICAL))]
Reader = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL, Role.TECHNICAL))]


def router(desk: AssignmentService, completion: HandoverService) -> APIRouter:
    """Routes under /api/assignment."""
    routes = APIRouter(prefix="/api/assignment", tags=["assignment"], route_class=GuardedRoute)
    _add_read_routes(routes, desk)
    _add_assignment_routes(routes, desk)
    _add_work_routes(routes, desk)
    _add_completion_route(routes, desk, completion)
    _add_live_route(routes, desk)
    return routes


def _add_read_routes(routes: APIRouter, desk: AssignmentService) -> None:
    @routes.get("/requests", response_model=PageResponse[RequestSummaryResponse])
    async def list_requests(query: Annotated[WorkQuery, Query()], reader: Reader) -> dict[str, Any]:
        """Requests in the order in which they were submitted; technical staff find their own."""
        lead = query.lead if reader.has_role(Role.STRUCTURAL) else reader.username
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
        return page_response(await desk.executor.find(find), lambda loaded: item(loaded, day))

    @routes.get("/requests/{id}", response_model=AssignmentRequestResponse)
    async def show_request(id: str, reader: Reader) -> dict[str, Any]:
        """Everything that was sent, what officers advised, and how the work stands."""
        return full(await desk.get_readable_request(id, reader), today(desk.platform.clock()))

    @routes.get("/requests/{id}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
    async def download_document(id: str, document_id: str, reader: Reader, request: Request) -> Response:
        """The document itself, as it was sent or handed over."""
        loaded = await desk.get_readable_request(id, reader)
        found = document(loaded.state, document_id)
        return await download(request, desk.platform.documents, found, reader.username)


def _add_assignment_routes(routes: APIRouter, desk: AssignmentService) -> None:
    @routes.get("/leads", response_model=PageResponse[WorkloadResponse])
    async def list_leads(head: Head) -> dict[str, Any]:
        """The active technical staff, with how much open and overdue work each has."""
        return {"items": await desk.workloads(), "next": None, "previous": None}

    @routes.post("/requests/{id}/rejection", response_model=CommandResponse)
    async def reject(id: str, body: Rejection, head: Head, request: Request) -> dict[str, Any]:
        """Reject a request that was submitted or verified; the applicant is told the reason."""
        await desk.get_request(id)
        return await desk.execute_command(request, id, RejectRequest(head.staff, body.reason), head, body)

    @routes.post("/requests/{id}/assignment", response_model=CommandResponse)
    async def assign(id: str, body: Assignment, head: Head, request: Request) -> dict[str, Any]:
        """Appoint the technical lead of a verified request."""
        await desk.get_request(id)
        lead = await desk.get_lead_candidate(body.lead)
        command = AssignLead(head.staff, lead, body.complexity, body.target_date, body.note)
        return await desk.execute_command(request, id, command, head, body)

    @routes.post("/requests/{id}/reassignment", response_model=CommandResponse)
    async def reassign(id: str, body: Reassignment, head: Head, request: Request) -> dict[str, Any]:
        """Replace the technical lead while the work goes on."""
        await desk.get_request(id)
        lead = await desk.get_lead_candidate(body.lead)
        return await desk.execute_command(
            request, id, ReassignLead(head.staff, lead, body.reason, body.target_date), head, body
        )


def _add_work_routes(routes: APIRouter, desk: AssignmentService) -> None:
    @routes.post("/requests/{id}/start", response_model=CommandResponse)
    async def start(id: str, lead: Technical, request: Request, body: EmptyBody | None = None) -> dict[str, Any]:
        """Begin the work."""
        await desk.get_own_request(id, lead)
        return await desk.execute_command(request, id, StartWork(lead.staff), lead, body or EmptyBody())

    @routes.post("/requests/{id}/progress", response_model=CommandResponse)
    async def progress(id: str, body: Progress, lead: Technical, request: Request) -> dict[str, Any]:
        """Note how far the work is; the applicant reads it too."""
        await desk.get_own_request(id, lead)
        return await desk.execute_command(request, id, NoteProgress(lead.staff, body.note, body.percent), lead, body)

    @routes.post("/requests/{id}/pause", response_model=CommandResponse)
    async def pause(id: str, body: Pause, lead: Technical, request: Request) -> dict[str, Any]:
        """Ask the applicant and wait; the clock of the target stops."""
        await desk.get_own_request(id, lead)
        return await desk.execute_command(request, id, PauseWork(lead.staff, body.question), lead, body)

    @routes.post("/requests/{id}/resume", response_model=CommandResponse)
    async def resume(id: str, lead: Technical, request: Request, body: Resume | None = None) -> dict[str, Any]:
        """Go on without the applicant's answer; the target moves by the working days that were lost."""
        await desk.get_own_request(id, lead)
        resume_body = body or Resume()
        return await desk.execute_command(request, id, ResumeWork(lead.staff, resume_body.note), lead, resume_body)


def _add_completion_route(routes: APIRouter, desk: AssignmentService, completion: HandoverService) -> None:
    @routes.post(
        "/requests/{id}/completion",
        response_model=CommandResponse,
        openapi_extra=multipart_request_body(Summary, FILE_RULES),
    )
    async def complete(id: str, lead: Technical, request: Request) -> dict[str, Any]:
        """Hand over: a form with `summary` and 1 to 20 `documents`; the handover record is drawn and added."""
        await desk.get_own_request(id, lead)
        async with read_form(request, Summary, FILE_RULES, completion.limits) as form:
            key = command_key(request, f"{lead.username}\n{id}", request_digest(*await digest_parts(form)))
            loaded = await desk.get_own_request(id, lead)
            try:
                return command_result(await completion.complete(loaded, lead.staff, form, key))
            except Refusal as refusal:
                loaded = await desk.get_request(id)
                raise refusal_problem(refusal, REFUSAL_MESSAGES, loaded.version) from refusal


def _add_live_route(routes: APIRouter, desk: AssignmentService) -> None:
    @routes.get("/live", response_class=Response, responses=STREAM_RESPONSES)
    async def follow(reader: Reader, request: Request) -> Response:
        """Server-sent events: which request changed, to what version; technical staff hear of their own, and of its loss."""

        async def may_continue() -> bool:
            return await desk.platform.identity.is_session_active(reader)

        async def allowed(id: str, version: int) -> dict[str, Any] | None:
            loaded = await desk.executor.read(id)
            if loaded is None or not desk.is_visible_to(loaded.state, reader):
                return None
            status = loaded.state.status
            return {"number": loaded.state.number, "status": status, "label": STATUS_LABELS[status]}

        return await live(request, desk.store, allowed, may_continue, reader=reader)
