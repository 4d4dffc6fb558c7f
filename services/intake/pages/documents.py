"""The page on which applicants read the documents of their request, and its page images."""

from __future__ import annotations

import re

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from services.intake.dependencies import Intake, TrackedRequestOrNone, tracking_path
from services.intake.pages import not_found_page, templates
from shared.contracts.request_state import find_document
from shared.web.api.problems import validation_problem
from shared.web.api.validation import field_errors
from shared.web.auth.access import public
from shared.web.documents.previews import PageView
from shared.web.documents.viewer import DocumentList, DocumentPaths, build_viewer, requested_state
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute

PAGE_NUMBER = re.compile(r"[0-9]{1,6}")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/lacak/{number}/lihat", dependencies=[Depends(public())])
async def view_documents(request: Request, loaded: TrackedRequestOrNone, intake: Intake) -> Response:
    """Show the documents of a request page by page: those of the form, and those of the last handover."""
    if loaded is None:
        return not_found_page(request)
    path = tracking_path(loaded.state.number)
    viewer = await build_viewer(
        intake.previews,
        DocumentList(loaded.state.all_documents),
        DocumentPaths(images=f"{path}/lihat", downloads=f"{path}/dokumen"),
        requested_state(request, PostedForm()),
    )
    return templates(request, "documents.html", viewer=viewer, number=loaded.state.number)


@router.get("/lacak/{number}/lihat/{document_id}/pages/{page}", dependencies=[Depends(public())])
async def show_page(
    request: Request, document_id: str, page: str, loaded: TrackedRequestOrNone, intake: Intake
) -> Response:
    """Show a page of a document as an image; without the key nothing is said, not even that the address is wrong."""
    document = find_document(loaded.state, document_id) if loaded else None
    if loaded is None or document is None or not PAGE_NUMBER.fullmatch(page):
        return not_found_page(request)
    try:
        view = PageView.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise validation_problem(field_errors(error.errors())) from error
    return await intake.previews.respond(request, document, int(page), view, f"the applicant of {loaded.state.number}")
