"""The pages of applicants, one module per subject."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.web.views.rendering import Templates

templates = Templates("services.intake")


def not_found_page(request: Request) -> HTMLResponse:
    """Render the same page for an unknown number and a wrong token."""
    return templates(request, "not_found.html", 404)
