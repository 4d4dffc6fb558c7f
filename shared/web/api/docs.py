"""The API documentation: the OpenAPI document, and Swagger UI served from our own origin."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.contracts.registry import FACTS
from shared.identity.accounts import Role
from shared.settings import Settings
from shared.web.api.problems import Problem
from shared.web.auth.access import GuardedRoute, Public, SignedIn, public, signed_in
from shared.web.views.rendering import shared_templates
from shared.web.views.static_files import StaticFile, file_response, load_file

EVENT_DOCS_PATH = "/api/{}/events"
"""Where each service documents its events."""
EVENT_OWNERS = tuple(dict.fromkeys(fact.owner for fact in FACTS))
EXPLORER = "/api/docs/swagger-ui"
ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css")
"""Files of Swagger UI; the package `fastapi-offline` ships them, so that pages load nothing from another host."""
PICTURES_IN_STYLE_SHEET = "img-src 'self' data:"


def docs_access(settings: Settings) -> Public | SignedIn:
    """Everybody may read the documentation where the settings open it, administrators elsewhere."""
    return public() if settings.docs_open else signed_in(Role.ADMIN)


def docs_router(settings: Settings) -> APIRouter:
    """Routes of the OpenAPI document, Swagger UI and its assets."""
    access = Depends(docs_access(settings))
    router = APIRouter(route_class=GuardedRoute, include_in_schema=False, dependencies=[access])
    router.add_api_route("/api/openapi.json", openapi_document, methods=["GET"])
    router.add_api_route("/api/docs", docs_page, methods=["GET"])
    router.add_api_route(EXPLORER, swagger_ui, methods=["GET"])
    router.add_api_route("/api/docs/{name}", swagger_ui_asset, methods=["GET"])
    return router


async def openapi_document(request: Request) -> dict[str, Any]:
    document: dict[str, Any] = request.app.openapi()
    return document


async def docs_page(request: Request) -> HTMLResponse:
    """The general rules of the API, with links to Swagger UI, the OpenAPI document and the event documentation."""
    app = request.app
    services = [(name, EVENT_DOCS_PATH.format(name)) for name in EVENT_OWNERS]
    return shared_templates(
        request, "docs.html", title=app.title, version=app.version, services=services, explorer=EXPLORER
    )


async def swagger_ui(request: Request) -> HTMLResponse:
    """Swagger UI, outside of our page layout. Its style sheet embeds pictures as data URLs."""
    app = request.app
    assets = {name: f"/api/docs/{name}?v={(await asyncio.to_thread(_asset, name)).version}" for name in ASSETS}
    page = shared_templates(request, "swagger_ui.html", title=app.title, version=app.version, assets=assets)
    policy = page.headers["Content-Security-Policy"]
    page.headers["Content-Security-Policy"] = policy.replace("img-src 'self'", PICTURES_IN_STYLE_SHEET)
    return page


async def swagger_ui_asset(request: Request, name: str) -> Response:
    """An asset of Swagger UI. Raises Problem 404."""
    if name not in ASSETS:
        raise Problem(404, "Berkas ini tidak ada.")
    return file_response(request, await asyncio.to_thread(_asset, name))


@cache
def _asset(name: str) -> StaticFile:
    # Loaded on first use, because compressing 1.5 MB takes time that few processes need.
    return load_file(files("fastapi_offline") / "static" / name)
