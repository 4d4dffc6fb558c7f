"""The JSON API of verification, for officers: the queue, the requests and the decisions on them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.verification.dependencies import Context, Officer, Verification
from services.verification.domain.commands import (
    AddNote,
    RecommendRejection,
    ReleaseClaim,
    ReturnRequest,
    VerifyRequest,
    WithdrawRecommendation,
)
from services.verification.presenters import present_request
from services.verification.projections import requests_query
from services.verification.schemas import (
    BulkClaim,
    ClaimBody,
    ClaimResponse,
    QueueItemResponse,
    QueueQuery,
    RecommendationBody,
    ReturnBody,
    VerificationBody,
    VerificationRequestResponse,
    to_verdicts,
)
from shared.office.presence import viewer_names
from shared.web.api.bulk import BulkResponse
from shared.web.api.commands import CommandResponse
from shared.web.api.exports import EXPORT_RESPONSES, ExportKind
from shared.web.api.lists import CountedPageResponse, page_response
from shared.web.api.live import OpenedId
from shared.web.api.openapi import DOWNLOAD_RESPONSES, IMAGE_RESPONSES, STREAM_RESPONSES
from shared.web.api.staff_notes import NoteBody, NotesResponse, present_notes
from shared.web.auth.access import GuardedRoute
from shared.web.documents.previews import PageViewQuery, TextMatchesResponse, TextSearchQuery
from shared.web.http.downloads import download

PREFIX = "/api/verification"

router = APIRouter(prefix=PREFIX, tags=["verification"], route_class=GuardedRoute)


@router.get("/requests", response_model=CountedPageResponse[QueueItemResponse], response_model_exclude_unset=True)
async def list_requests(
    query: Annotated[QueueQuery, Query()], officer: Officer, verification: Verification
) -> dict[str, Any]:
    """List the queue, by default longest waiting in the current round first."""
    requests = requests_query(**query.filters(verification.today()))
    page, present = await verification.executor.find(requests), verification.item_presenter()
    viewers = await verification.platform.presence.by_request(officer.username)
    listed = page_response(
        page, lambda loaded: {**present(loaded), "open_by": viewer_names(viewers, loaded.id)}, query.sort
    )
    return {**listed, "total": await verification.executor.count(requests)} if query.total else listed


@router.get("/requests.{kind}", response_class=Response, responses=EXPORT_RESPONSES)
async def export_list(
    kind: ExportKind, query: Annotated[QueueQuery, Query()], officer: Officer, verification: Verification
) -> Response:
    """Download the whole list as CSV or XLSX."""
    return await verification.export(kind, officer, requests_query(**query.filters(verification.today())))


@router.get("/requests/{request_id}", response_model=VerificationRequestResponse)
async def show_request(request_id: str, officer: Officer, verification: Verification) -> dict[str, Any]:
    """Show a request with its documents, checklist and warnings."""
    loaded = await verification.get_request(request_id)
    viewers = await verification.platform.presence.by_request(officer.username)
    return {
        **present_request(loaded, verification.today(), verification.rules, verification.checklists),
        "open_by": viewer_names(viewers, loaded.id),
    }


@router.get("/requests/{request_id}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
async def download_document(
    request_id: str, document_id: str, officer: Officer, request: Request, verification: Verification
) -> Response:
    """Download a document as it was submitted."""
    document = await verification.get_document(request_id, document_id)
    return await download(request, verification.platform.documents, document, officer.username)


@router.get(
    "/requests/{request_id}/documents/{document_id}/pages/{page}", response_class=Response, responses=IMAGE_RESPONSES
)
async def show_page(
    request_id: str,
    document_id: str,
    page: int,
    view: PageViewQuery,
    officer: Officer,
    request: Request,
    verification: Verification,
) -> Response:
    """Show a page of a document as an image; `Link` names the next page. HEAD renders nothing."""
    document = await verification.get_document(request_id, document_id)
    return await verification.previews.respond(request, document, page, view, officer.username)


@router.get("/requests/{request_id}/documents/{document_id}/matches", response_model=TextMatchesResponse)
async def find_text(
    request_id: str, document_id: str, query: TextSearchQuery, officer: Officer, verification: Verification
) -> dict[str, Any]:
    """Return the pages of a document on which these words stand; a scan has no text."""
    document = await verification.get_document(request_id, document_id)
    return await verification.previews.respond_matches(document, query, officer.username)


@router.post("/requests/{request_id}/verification", response_model=CommandResponse)
async def verify(
    request_id: str, body: VerificationBody, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Declare the request complete: no item failed and every warning was acknowledged."""
    command = VerifyRequest(
        officer.staff,
        to_verdicts(body.checklist, await verification.get_checklist(request_id)),
        body.acknowledged_warnings,
        withdraw_recommendation=body.withdraw_recommendation,
    )
    return await verification.execute(context, request_id, command, body)


@router.post("/requests/{request_id}/return", response_model=CommandResponse)
async def return_to_applicant(
    request_id: str, body: ReturnBody, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Return the request to be completed: at least one item failed, with a note on what is missing."""
    command = ReturnRequest(officer.staff, to_verdicts(body.checklist, await verification.get_checklist(request_id)))
    return await verification.execute(context, request_id, command, body)


@router.post("/requests/{request_id}/recommendation", response_model=CommandResponse)
async def recommend(
    request_id: str, body: RecommendationBody, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Recommend to the structural head that the request be rejected."""
    return await verification.execute(context, request_id, RecommendRejection(officer.staff, body.reason), body)


@router.post("/requests/{request_id}/recommendation/withdrawal", response_model=CommandResponse)
async def withdraw_recommendation(
    request_id: str, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Withdraw the recommendation to reject the request."""
    return await verification.execute(context, request_id, WithdrawRecommendation(officer.staff))


@router.post("/requests/{request_id}/claim", response_model=ClaimResponse)
async def claim(
    request_id: str,
    officer: Officer,
    verification: Verification,
    context: Context,
    body: ClaimBody | None = None,
) -> dict[str, Any]:
    """Claim the request, so that colleagues see who checks it, or assign it to a colleague."""
    body = body or ClaimBody()
    command = await verification.claim_command(officer.staff, body.officer)
    return await verification.execute_claim(context, request_id, command, body)


@router.post("/bulk", response_model=BulkResponse)
async def execute_bulk(
    body: BulkClaim, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Claim several requests; each outcome is reported, and a refusal does not stop the others."""
    return {"results": await verification.execute_bulk(context, body, officer.staff)}


@router.post("/requests/{request_id}/release", response_model=ClaimResponse)
async def release(request_id: str, officer: Officer, verification: Verification, context: Context) -> dict[str, Any]:
    """Release the request, so that any officer can check it."""
    return await verification.execute_claim(context, request_id, ReleaseClaim(officer.staff))


@router.get("/requests/{request_id}/notes", response_model=NotesResponse)
async def list_notes(request_id: str, _officer: Officer, verification: Verification) -> dict[str, Any]:
    """List the notes among staff, which applicants never see."""
    return {"items": present_notes((await verification.get_request(request_id)).state.notes)}


@router.post("/requests/{request_id}/notes", response_model=CommandResponse)
async def add_note(
    request_id: str, body: NoteBody, officer: Officer, verification: Verification, context: Context
) -> dict[str, Any]:
    """Add a note among staff."""
    return await verification.execute(context, request_id, AddNote(officer.staff, body.text), body)


@router.get("/live", response_class=Response, responses=STREAM_RESPONSES)
async def follow(officer: Officer, request: Request, verification: Verification, opened_id: OpenedId = "") -> Response:
    """Stream server-sent events: which request changed, to what version, and who else has the request `open` open."""
    return await verification.follow(request, officer, opened_id, lambda state: bool(state.number))
