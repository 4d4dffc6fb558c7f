"""The JSON API of verification, for officers: the queue, what was sent, and the decisions on it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from services.verification.domain.commands import RecommendRejection, ReturnRequest, VerifyRequest
from services.verification.presenters import change_notice, full, item
from services.verification.projections import find_requests
from services.verification.schemas import QueueQuery, Recommendation, Return, Verification, verdicts
from services.verification.service import VerificationService
from shared.calendar import today
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.web.api.commands import CommandResponse
from shared.web.api.lists import page_response
from shared.web.api.live import live
from shared.web.api.openapi import DOWNLOAD_RESPONSES, IMAGE_RESPONSES, STREAM_RESPONSES
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.http.downloads import download
from shared.web.http.methods import wants_headers_only

Officer = Annotated[Principal, Depends(signed_in(Role.OFFICER))]

PREFIX = "/api/verification"


def router(desk: VerificationService) -> APIRouter:
    """Routes under /api/verification."""
    routes = APIRouter(prefix=PREFIX, tags=["verification"], route_class=GuardedRoute)
    _reading(routes, desk)
    _documents(routes, desk)
    _deciding(routes, desk)
    _following(routes, desk)
    return routes


def _reading(routes: APIRouter, desk: VerificationService) -> None:
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
        return page_response(await desk.executor.find(find), lambda loaded: item(loaded, day, desk.rules))

    @routes.get("/requests/{id}")
    async def show_request(id: str, officer: Officer) -> dict[str, Any]:
        """Everything that was sent, with what is to be checked and what is odd."""
        return full(await desk.known(id), today(desk.platform.clock()), desk.rules)


def _documents(routes: APIRouter, desk: VerificationService) -> None:
    @routes.get("/requests/{id}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
    async def download_document(id: str, document_id: str, officer: Officer, request: Request) -> Response:
        """The document itself, as it was sent."""
        document = await desk.document(id, document_id)
        return await download(request, desk.platform.documents, document, officer.username)

    @routes.get(
        "/requests/{id}/documents/{document_id}/pages/{page}", response_class=Response, responses=IMAGE_RESPONSES
    )
    async def show_page(id: str, document_id: str, page: int, officer: Officer, request: Request) -> Response:
        """One page of a PDF, PNG or JPEG as a picture; `Link` names the next one. HEAD draws nothing."""
        found = await desk.document(id, document_id)
        if not wants_headers_only(request):
            image = await desk.drawn(found, page, officer)
        elif (drawn := desk.get_cached(found, page)) is not None:
            image = drawn
        else:
            return StreamingResponse(iter(()), media_type="image/png")  # without Content-Length, which nobody knows yet
        here = f"{PREFIX}/requests/{id}/documents/{document_id}/pages"
        more = {"Link": f'<{here}/{page + 1}>; rel="next"'} if page < image.pages else {}
        return Response(image.png, headers=more, media_type="image/png")


def _deciding(routes: APIRouter, desk: VerificationService) -> None:
    @routes.post("/requests/{id}/verification", response_model=CommandResponse)
    async def verify(id: str, body: Verification, officer: Officer, request: Request) -> dict[str, Any]:
        """Declare the request complete: every item is right and every warning was seen."""
        command = VerifyRequest(officer.staff, verdicts(body.checklist), body.acknowledged_warnings)
        return await desk.execute_command(request, id, command, body)

    @routes.post("/requests/{id}/return", response_model=CommandResponse)
    async def return_to_applicant(id: str, body: Return, officer: Officer, request: Request) -> dict[str, Any]:
        """Give the request back to be completed: at least one item is not right, with a note on what is missing."""
        return await desk.execute_command(request, id, ReturnRequest(officer.staff, verdicts(body.checklist)), body)

    @routes.post("/requests/{id}/recommendation", response_model=CommandResponse)
    async def recommend(id: str, body: Recommendation, officer: Officer, request: Request) -> dict[str, Any]:
        """Advise the structural head to reject the request."""
        return await desk.execute_command(request, id, RecommendRejection(officer.staff, body.reason), body)


def _following(routes: APIRouter, desk: VerificationService) -> None:
    @routes.get("/live", response_class=Response, responses=STREAM_RESPONSES)
    async def follow(officer: Officer, request: Request) -> Response:
        """Server-sent events: which request changed, to what version."""

        async def may_continue() -> bool:
            return await desk.platform.identity.is_session_active(officer)

        async def allowed(id: str, version: int) -> dict[str, Any] | None:
            loaded = await desk.executor.read(id)
            return change_notice(loaded.state) if loaded and loaded.state.number else None

        return await live(request, desk.store, allowed, may_continue, reader=officer)
