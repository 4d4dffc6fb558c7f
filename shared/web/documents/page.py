"""A page of its own for the documents of a request, for staff whose pages list them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.web.documents.previews import DocumentPreviews
from shared.web.documents.viewer import DocumentList, DocumentPaths, build_viewer, requested_state
from shared.web.forms.posted_form import PostedForm
from shared.web.views.rendering import shared_templates


async def documents_page(
    request: Request,
    previews: DocumentPreviews,
    documents: DocumentList,
    paths: DocumentPaths,
    number: str,
    back: str,
    reader: str,
) -> HTMLResponse:
    """Show the document that the URL names, to a member of staff; `back` is the page of the request."""
    viewer = await build_viewer(previews, documents, paths, requested_state(request, PostedForm()), reader)
    return shared_templates(request, "documents.html", viewer=viewer, number=number, back=back)
