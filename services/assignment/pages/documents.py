"""The documents of a request, for the head and for its lead: a page that shows them, and downloads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.assignment.pages import QUEUE_PATH, WORK_PATH
from services.assignment.pages.staff_page import HeadRequestPage, LeadRequestPage, RequestPage
from shared.contracts.request_state import find_document
from shared.web.documents.viewer import DocumentList, DocumentPaths, build_viewer, requested_state
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.page_routes import PageRoute
from shared.web.views.rendering import shared_templates

router = APIRouter(route_class=PageRoute, include_in_schema=False)

HeadPage = Annotated[HeadRequestPage, Depends()]
LeadPage = Annotated[LeadRequestPage, Depends()]


@router.get(f"{QUEUE_PATH}/{{request_id}}/lihat")
async def view_as_head(page: HeadPage) -> Response:
    """Show the documents of a request, page by page."""
    return await _view(page)


@router.get(f"{WORK_PATH}/{{request_id}}/lihat")
async def view_as_lead(page: LeadPage) -> Response:
    """Show the documents of an own request, page by page."""
    return await _view(page)


@router.get(f"{QUEUE_PATH}/{{request_id}}/dokumen/{{document_id}}")
async def download_as_head(document_id: str, page: HeadPage) -> Response:
    """Download a document as it was submitted or handed over."""
    return await _download(document_id, page)


@router.get(f"{WORK_PATH}/{{request_id}}/dokumen/{{document_id}}")
async def download_as_lead(document_id: str, page: LeadPage) -> Response:
    """Download a document of an own request as it was submitted or handed over."""
    return await _download(document_id, page)


async def _view(page: RequestPage) -> Response:
    state = (await page.load()).state
    paths = DocumentPaths(f"/api/assignment/requests/{page.request_id}/documents", f"{page.request_url}/dokumen")
    documents = DocumentList(state.all_documents, state.course.round)
    shown = requested_state(page.request, PostedForm())
    viewer = await build_viewer(page.assignment.previews, documents, paths, shown, page.principal.username)
    return shared_templates(page.request, "documents.html", viewer=viewer, number=state.number, back=page.request_url)


async def _download(document_id: str, page: RequestPage) -> Response:
    document = find_document((await page.load()).state, document_id)
    return await download(page.request, page.assignment.platform.documents, document, page.principal.username)
