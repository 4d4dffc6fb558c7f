"""Information that a public service must publish: its service standard and its privacy notice."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from services.intake.pages import templates
from shared.web.auth.access import public
from shared.web.views.page_routes import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/standar-pelayanan", dependencies=[Depends(public())])
async def service_standard(request: Request) -> Response:
    return templates(request, "about.html", about=templates.words.standard)


@router.get("/pelindungan-data", dependencies=[Depends(public())])
async def privacy_notice(request: Request) -> Response:
    return templates(request, "about.html", about=templates.words.privacy)
