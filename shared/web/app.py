"""The application around the routes: what every request meets first, and the pages that belong to no service."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Role
from shared.settings import Settings, read_secret
from shared.storage.port import StateStore
from shared.web.admin.health import default_parts, readiness
from shared.web.api.docs import docs_page
from shared.web.api.openapi import DocumentedFastAPI
from shared.web.auth.access import GuardedRoute, public, signed_in
from shared.web.dependencies import bind_services
from shared.web.http.body_limit import MAX_JSON_BODY_BYTES, BodyLimitMiddleware, BodyLimitPolicy
from shared.web.http.client_address import ClientAddressResolver, parse_proxies
from shared.web.http.exception_handlers import add_exception_handlers
from shared.web.http.middleware import (
    ErrorMiddleware,
    HeadMiddleware,
    PrintablePathMiddleware,
    RequestContextMiddleware,
    SecurityHeadersMiddleware,
)
from shared.web.http.rate_limit import ConcurrencyLimitMiddleware, RateLimitMiddleware, public_rate_rules
from shared.web.http.stream_limits import StreamRegistry
from shared.web.http.upload_budget import UploadBudget, UploadBudgetMiddleware
from shared.web.views.static_files import ROOT_FILES, static_file

if TYPE_CHECKING:
    from shared.backends.platform import Platform

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

TITLE = "Simpul"
TELEMETRY_DISABLED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own would tell more than may be told: traces and metrics are ours."""
UPLOAD_PATHS = re.compile(
    r"/api/requests/?|/api/requests/[^/]+/resubmission|/api/assignment/requests/[^/]+/completion"
    r"|/|/berkas|/lacak/[^/]+/lengkapi(?:/berkas)?|/pekerjaan/[^/]+/serahkan(?:/berkas)?"
)
"""Where forms with files are sent to."""


def create_app(
    *,
    platform: Platform,
    version: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None,
    stores: Sequence[StateStore],
    title: str = TITLE,
) -> FastAPI:
    """The application on this platform, with health, metrics, documentation and static files beside the routes."""
    settings = platform.settings
    budget = UploadBudget(settings.upload_budget_per_address if settings.public_rate else None, settings.upload_budget)
    app = DocumentedFastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header, which anybody can make up
        middleware=middleware_stack(platform, body_limit_policy(settings), budget),
        telemetry=TELEMETRY_DISABLED,
    )
    app.state.platform = platform
    app.state.services = {}
    app.state.streams = StreamRegistry()
    app.state.upload_budget = budget
    app.state.parts = default_parts(stores, platform.documents, platform.log)
    add_exception_handlers(app)
    app.include_router(_operations_router(settings))
    app.include_router(_docs_router(settings))
    app.include_router(_static_router())
    for router in routers:
        app.include_router(router)
        bind_services(app, router)
    return app


def body_limit_policy(settings: Settings) -> BodyLimitPolicy:
    """Forms with files may be large, everything else is small."""

    def limit_for(method: str, path: str) -> int:
        carries_files = method == "POST" and UPLOAD_PATHS.fullmatch(path)
        return settings.body_limit if carries_files else min(MAX_JSON_BODY_BYTES, settings.body_limit)

    return limit_for


def middleware_stack(platform: Platform, limit_for: BodyLimitPolicy, budget: UploadBudget) -> list[Middleware]:
    """From the outside in. Errors are answered inside of what adds headers, refusals of size and rate inside of both."""
    settings = platform.settings
    addresses = ClientAddressResolver(parse_proxies(settings.trusted_proxies))
    stack = [
        Middleware(RequestContextMiddleware, platform.new_id, addresses),
        Middleware(SecurityHeadersMiddleware, settings.tls),
        Middleware(HeadMiddleware),
        Middleware(ErrorMiddleware),
        Middleware(
            BodyLimitMiddleware, limit_for
        ),  # outside of every refusal, because it closes the connection of an unread body
        Middleware(ConcurrencyLimitMiddleware, settings.connections_per_address),
        Middleware(PrintablePathMiddleware),
    ]
    rules = public_rate_rules(settings.public_rate)
    rate_limiting = [Middleware(RateLimitMiddleware, rules)] if rules else []
    return [*stack, *rate_limiting, Middleware(UploadBudgetMiddleware, budget)]


def _new_router() -> APIRouter:
    return APIRouter(route_class=GuardedRoute, include_in_schema=False)


def _operations_router(settings: Settings) -> APIRouter:
    routes = _new_router()
    token_file = settings.metrics_token_file
    configured_token = settings.metrics_token.get_secret_value()
    token = read_secret(token_file, "SIMPUL_METRICS_TOKEN_FILE") if token_file else configured_token
    admin = signed_in(Role.ADMIN)

    @routes.get("/health/live", dependencies=[Depends(public())])
    async def liveness() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/health/ready", dependencies=[Depends(public())])
    async def ready(request: Request) -> dict[str, Any]:
        return await readiness(request.app.state.parts, request.app.state.streams.closing)

    @routes.get("/metrics", dependencies=[Depends(public() if token else admin)])
    async def metrics(request: Request) -> Response:
        authorization = request.headers.get("authorization", "")
        if token and not hmac.compare_digest(authorization.encode("latin-1"), f"Bearer {token}".encode()):
            await admin(request)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _docs_router(settings: Settings) -> APIRouter:
    routes = _new_router()
    docs_access = Depends(public() if settings.docs_open else signed_in(Role.ADMIN))

    @routes.get("/api/openapi.json", dependencies=[docs_access])
    async def openapi(request: Request) -> dict[str, Any]:
        document: dict[str, Any] = request.app.openapi()
        return document

    @routes.get("/api/docs", dependencies=[docs_access])
    async def docs(request: Request) -> Response:
        return docs_page(request)

    return routes


def _static_router() -> APIRouter:
    routes = _new_router()

    @routes.get("/static/{name}", dependencies=[Depends(public())])
    async def static(request: Request, name: str) -> Response:
        return await static_file(request, name)

    for name in ROOT_FILES:
        endpoint = partial(static_file, name=name)
        routes.add_api_route(f"/{name}", endpoint, methods=["GET"], dependencies=[Depends(public())], name=name)
    return routes
