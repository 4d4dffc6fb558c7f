"""The JSON API of assignment, for the structural head and the leads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.assignment.access import acting_for_lead, is_visible_to, may_list, readable_filters
from services.assignment.dependencies import Assignment, BoardReader, Context, Handovers, Head, Lead, Reader
from services.assignment.domain.commands import (
    AddNote,
    AssignLead,
    ChangeTarget,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    RemindResponsible,
    ResumeWork,
    StartWork,
)
from services.assignment.handover_service import FILE_RULES, digest_parts
from services.assignment.overdue_board import MAX_LIST_REQUESTS
from services.assignment.presenters import present_board, present_request
from services.assignment.projections import requests_query
from services.assignment.schemas import (
    AssignmentBody,
    AssignmentRequestResponse,
    BulkCommand,
    HandoverFields,
    OverdueBoardResponse,
    PauseBody,
    ProgressBody,
    ReassignmentBody,
    RejectionBody,
    ResumeBody,
    TargetBody,
    TargetResponse,
    WorkloadResponse,
    WorkQuery,
)
from shared.contracts.request_state import find_document
from shared.runtime.decider import Refusal
from shared.web.api.bulk import BulkResponse
from shared.web.api.commands import CommandResponse, command_result
from shared.web.api.exports import EXPORT_RESPONSES, ExportKind
from shared.web.api.idempotency import request_digest
from shared.web.api.lists import CountedPageResponse, PageResponse, page_response
from shared.web.api.live import OpenedId
from shared.web.api.openapi import DOWNLOAD_RESPONSES, IMAGE_RESPONSES, STREAM_RESPONSES, multipart_request_body
from shared.web.api.serializers import RequestSummaryResponse
from shared.web.api.staff_notes import NoteBody, NotesResponse, present_notes
from shared.web.api.validation import EmptyBody
from shared.web.auth.access import GuardedRoute
from shared.web.documents.previews import PageViewQuery, TextMatchesResponse, TextSearchQuery
from shared.web.forms.uploads import read_form
from shared.web.http.downloads import download

router = APIRouter(prefix="/api/assignment", tags=["assignment"], route_class=GuardedRoute)


@router.get("/requests", response_model=CountedPageResponse[RequestSummaryResponse], response_model_exclude_unset=True)
async def list_requests(query: Annotated[WorkQuery, Query()], reader: Reader, assignment: Assignment) -> dict[str, Any]:
    """List requests, by default in the order of submission; technical staff see their own."""
    if not may_list(query.lead, reader):
        return {"items": [], "next": None, "previous": None} | ({"total": 0} if query.total else {})
    requests = requests_query(**readable_filters(query, reader, assignment.today()))
    listed = page_response(await assignment.executor.find(requests), assignment.item_presenter(), query.sort)
    return {**listed, "total": await assignment.executor.count(requests)} if query.total else listed


@router.get("/requests.{kind}", response_class=Response, responses=EXPORT_RESPONSES)
async def export_list(
    kind: ExportKind, query: Annotated[WorkQuery, Query()], reader: Reader, assignment: Assignment
) -> Response:
    """Download the whole list as CSV or XLSX; technical staff get their own requests."""
    filters = readable_filters(query, reader, assignment.today())
    return await assignment.export(kind, reader, requests_query(**filters) if may_list(query.lead, reader) else None)


@router.get("/requests/{request_id}", response_model=AssignmentRequestResponse)
async def show_request(request_id: str, reader: Reader, assignment: Assignment) -> dict[str, Any]:
    """Show a request with its documents, the recommendation of an officer, and the state of the work."""
    loaded = await assignment.get_readable_request(request_id, reader)
    return present_request(loaded, assignment.today(), assignment.rules)


@router.get("/requests/{request_id}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
async def download_document(
    request_id: str, document_id: str, reader: Reader, request: Request, assignment: Assignment
) -> Response:
    """Download a document as it was submitted or handed over."""
    loaded = await assignment.get_readable_request(request_id, reader)
    document = find_document(loaded.state, document_id)
    return await download(request, assignment.platform.documents, document, reader.username)


@router.get("/overdue", response_model=OverdueBoardResponse)
async def show_overdue_board(_reader: BoardReader, assignment: Assignment) -> dict[str, Any]:
    """Count the open requests whose stage is overdue, by stage and by the one responsible, and show the longest overdue."""
    return present_board(await assignment.overdue.load(MAX_LIST_REQUESTS))


@router.post("/requests/{request_id}/reminder", response_model=CommandResponse)
async def remind(
    request_id: str, head: Head, assignment: Assignment, context: Context, body: EmptyBody | None = None
) -> dict[str, Any]:
    """Remind the one responsible for an overdue request by email, at most once a day."""
    return await assignment.execute(context, request_id, RemindResponsible(head.staff), body or EmptyBody())


@router.get(
    "/requests/{request_id}/documents/{document_id}/pages/{page}", response_class=Response, responses=IMAGE_RESPONSES
)
async def show_page(
    request_id: str,
    document_id: str,
    page: int,
    view: PageViewQuery,
    reader: Reader,
    request: Request,
    assignment: Assignment,
) -> Response:
    """Show a page of a document as an image; `Link` names the next page. HEAD renders nothing."""
    document = await assignment.get_document(request_id, document_id, reader)
    return await assignment.previews.respond(request, document, page, view, reader.username)


@router.get("/requests/{request_id}/documents/{document_id}/matches", response_model=TextMatchesResponse)
async def find_text(
    request_id: str, document_id: str, query: TextSearchQuery, reader: Reader, assignment: Assignment
) -> dict[str, Any]:
    """Return the pages of a document on which these words stand; a scan has no text."""
    document = await assignment.get_document(request_id, document_id, reader)
    return await assignment.previews.respond_matches(document, query, reader.username)


@router.get("/leads", response_model=PageResponse[WorkloadResponse])
async def list_leads(_head: Head, assignment: Assignment) -> dict[str, Any]:
    """List the active technical staff with the number of their open and overdue requests."""
    return {"items": await assignment.list_workloads(), "next": None, "previous": None}


@router.post("/requests/{request_id}/rejection", response_model=CommandResponse)
async def reject(
    request_id: str, body: RejectionBody, head: Head, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Reject a request that was submitted or verified; the reason is emailed to the applicant."""
    return await assignment.execute(context, request_id, RejectRequest(head.staff, body.reason), body)


@router.post("/requests/{request_id}/assignment", response_model=TargetResponse, response_model_exclude_unset=True)
async def assign(
    request_id: str, body: AssignmentBody, head: Head, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Assign the lead of a verified request."""
    await assignment.get_cached_request(request_id)
    lead = await assignment.get_lead_candidate(body.lead)
    command = AssignLead(head.staff, lead, body.complexity, body.target_date, body.note)
    return await assignment.execute_with_target(context, request_id, command, body)


@router.post("/requests/{request_id}/reassignment", response_model=TargetResponse, response_model_exclude_unset=True)
async def reassign(
    request_id: str, body: ReassignmentBody, head: Head, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Replace the lead of a request before the handover."""
    await assignment.get_cached_request(request_id)
    lead = await assignment.get_lead_candidate(body.lead)
    command = ReassignLead(head.staff, lead, body.reason, body.target_date)
    return await assignment.execute_with_target(context, request_id, command, body)


@router.post("/bulk", response_model=BulkResponse)
async def execute_bulk(body: BulkCommand, head: Head, assignment: Assignment, context: Context) -> dict[str, Any]:
    """Appoint or replace the lead of several requests; each outcome is reported, and a refusal does not stop the others."""
    return {"results": await assignment.execute_bulk(context, body, head.staff)}


@router.post("/requests/{request_id}/target", response_model=TargetResponse, response_model_exclude_unset=True)
async def change_target(
    request_id: str, body: TargetBody, head: Head, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Set another target for the work and email it to applicant and lead; a day off is accepted with a warning."""
    command = ChangeTarget(head.staff, body.target_date, body.reason)
    return await assignment.execute_with_target(context, request_id, command, body)


@router.post("/requests/{request_id}/start", response_model=CommandResponse)
async def start(
    request_id: str, lead: Lead, assignment: Assignment, context: Context, body: EmptyBody | None = None
) -> dict[str, Any]:
    """Start the work."""
    lead = await assignment.acting_for_lead(request_id, lead)
    return await assignment.execute(context, request_id, StartWork(lead.staff), body or EmptyBody())


@router.post("/requests/{request_id}/progress", response_model=CommandResponse)
async def progress(
    request_id: str, body: ProgressBody, lead: Lead, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Record the progress of the work, which the applicant sees too."""
    lead = await assignment.acting_for_lead(request_id, lead)
    command = NoteProgress(lead.staff, body.note, body.percent)
    return await assignment.execute(context, request_id, command, body)


@router.post("/requests/{request_id}/pause", response_model=CommandResponse)
async def pause(
    request_id: str, body: PauseBody, lead: Lead, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Ask the applicant a question and put the work on hold."""
    lead = await assignment.acting_for_lead(request_id, lead)
    return await assignment.execute(context, request_id, PauseWork(lead.staff, body.question), body)


@router.post("/requests/{request_id}/resume", response_model=CommandResponse)
async def resume(
    request_id: str, lead: Lead, assignment: Assignment, context: Context, body: ResumeBody | None = None
) -> dict[str, Any]:
    """Resume the work without the applicant's answer; the target moves by the working days of the pause."""
    lead = await assignment.acting_for_lead(request_id, lead)
    fields = body or ResumeBody()
    return await assignment.execute(context, request_id, ResumeWork(lead.staff, fields.note), fields)


@router.post(
    "/requests/{request_id}/completion",
    response_model=CommandResponse,
    openapi_extra=multipart_request_body(HandoverFields, FILE_RULES),
)
async def complete(
    request_id: str, lead: Lead, request: Request, assignment: Assignment, handovers: Handovers, context: Context
) -> dict[str, Any]:
    """Hand over: a form with `summary` and 1 to 20 `documents`, to which the handover record is added."""
    lead = await assignment.acting_for_lead(request_id, lead)
    async with read_form(request, HandoverFields, FILE_RULES, handovers.limits) as form:
        key = context.command_key(f"{lead.username}\n{request_id}", request_digest(*await digest_parts(form)))
        loaded = await assignment.get_own_request(request_id, lead)
        try:
            return command_result(await handovers.complete(loaded, lead.staff, form, key))
        except Refusal as refusal:
            raise await assignment.refusal_problem(request_id, refusal) from refusal


@router.get("/requests/{request_id}/notes", response_model=NotesResponse)
async def list_notes(request_id: str, reader: Reader, assignment: Assignment) -> dict[str, Any]:
    """List the notes among staff, which applicants never see."""
    return {"items": present_notes((await assignment.get_readable_request(request_id, reader)).state.notes)}


@router.post("/requests/{request_id}/notes", response_model=CommandResponse)
async def add_note(
    request_id: str, body: NoteBody, reader: Reader, assignment: Assignment, context: Context
) -> dict[str, Any]:
    """Add a note among staff."""
    reader = acting_for_lead((await assignment.get_readable_request(request_id, reader)).state, reader)
    return await assignment.execute(context, request_id, AddNote(reader.staff, body.text), body)


@router.get("/live", response_class=Response, responses=STREAM_RESPONSES)
async def follow(reader: Reader, request: Request, assignment: Assignment, opened_id: OpenedId = "") -> Response:
    """Stream server-sent events: which request changed, to what version; technical staff get their own and reassigned ones.

    Also who else has the request `open` open.
    """
    return await assignment.follow(request, reader, opened_id, lambda state: is_visible_to(state, reader))
