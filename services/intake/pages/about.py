"""What a public service owes everybody: its standard, and how it treats personal data."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.intake.pages.request_pages import page
from shared.web.auth.access import public


def add_about_routes(routes: APIRouter) -> None:
    @routes.get("/standar-pelayanan", dependencies=[Depends(public())])
    async def standard(request: Request) -> Response:
        return page(request, "about.html", about=page.words.standard)

    @routes.get("/pelindungan-data", dependencies=[Depends(public())])
    async def privacy(request: Request) -> Response:
        return page(request, "about.html", about=page.words.privacy)
