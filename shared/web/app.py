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
from shared.web.access import GuardedRoute, public, signed_in
from shared.web.answers import install_problem_handlers
from shared.web.api_docs import docs_page
from shared.web.body_limit import JSON_LIMIT, BodyLimit, LimitOf
from shared.web.client_address import ClientAddress, parse_proxies
from shared.web.health import readiness, usual_parts
from shared.web.middleware import Faults, HeadRequests, PrintablePaths, RequestContext, SecurityHeaders
from shared.web.openapi import DescribedApi
from shared.web.rate_limit import ConcurrencyLimit, RateLimit, public_rules
from shared.web.static_files import AT_THE_ROOT, static_file
from shared.web.stream_limits import Streams
from shared.web.upload_budget import UploadBudget, UploadLimit

if TYPE_CHECKING:
    from shared.platform import Platform

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

TITLE = "Simpul"
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own would tell more than may be told: traces and metrics are ours."""
WITH_FILES = re.compile(
    r"/api/requests/?|/api/requests/[^/]+/resubmission|/api/assignment/requests/[^/]+/completion"
    r"|/|/berkas|/lacak/[^/]+/lengkapi(?:/berkas)?|/pekerjaan/[^/]+/serahkan(?:/berkas)?"
)
"""Where forms with files are sent to."""


def make_app(
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
    app = DescribedApi(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header, which anybody can make up
        middleware=surroundings(platform, body_limit_of(settings), budget),
        telemetry=NO_TELEMETRY,
    )
    app.state.platform = platform
    app.state.streams = Streams()
    app.state.upload_budget = budget
    app.state.parts = usual_parts(stores, platform.documents, platform.log)
    install_problem_handlers(app)
    app.include_router(_operations(settings))
    app.include_router(_documentation(settings))
    app.include_router(_static())
    for router in routers:
        app.include_router(router)
    return app


def body_limit_of(settings: Settings) -> LimitOf:
    """Forms with files may be large, everything else is small."""

    def limit_of(method: str, path: str) -> int:
        with_files = method == "POST" and WITH_FILES.fullmatch(path)
        return settings.body_limit if with_files else min(JSON_LIMIT, settings.body_limit)

    return limit_of


def surroundings(platform: Platform, limit_of: LimitOf, budget: UploadBudget) -> list[Middleware]:
    """From the outside in. Errors are answered inside of what adds headers, refusals of size and rate inside of both."""
    settings = platform.settings
    addresses = ClientAddress(parse_proxies(settings.trusted_proxies))
    stack = [
        Middleware(RequestContext, platform.new_id, addresses),
        Middleware(SecurityHeaders, settings.tls),
        Middleware(HeadRequests),
        Middleware(Faults),
        Middleware(BodyLimit, limit_of),  # outside of every refusal, because it closes the connection of an unread body
        Middleware(ConcurrencyLimit, settings.connections_per_address),
        Middleware(PrintablePaths),
    ]
    rules = public_rules(settings.public_rate)
    limited = [Middleware(RateLimit, rules)] if rules else []
    return [*stack, *limited, Middleware(UploadLimit, budget)]


def _routes() -> APIRouter:
    return APIRouter(route_class=GuardedRoute, include_in_schema=False)


def _operations(settings: Settings) -> APIRouter:
    routes = _routes()
    file = settings.metrics_token_file
    given = settings.metrics_token.get_secret_value()
    token = read_secret(file, "SIMPUL_METRICS_TOKEN_FILE") if file else given
    admin = signed_in(Role.ADMIN)

    @routes.get("/health/live", dependencies=[Depends(public())])
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/health/ready", dependencies=[Depends(public())])
    async def ready(request: Request) -> dict[str, Any]:
        return await readiness(request.app.state.parts, request.app.state.streams.closing)

    @routes.get("/metrics", dependencies=[Depends(public() if token else admin)])
    async def metrics(request: Request) -> Response:
        sent = request.headers.get("authorization", "")
        if token and not hmac.compare_digest(sent.encode("latin-1"), f"Bearer {token}".encode()):
            await admin(request)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _documentation(settings: Settings) -> APIRouter:
    routes = _routes()
    readers = Depends(public() if settings.docs_open else signed_in(Role.ADMIN))

    @routes.get("/api/openapi.json", dependencies=[readers])
    async def openapi(request: Request) -> dict[str, Any]:
        described: dict[str, Any] = request.app.openapi()
        return described

    @routes.get("/api/docs", dependencies=[readers])
    async def docs(request: Request) -> Response:
        return docs_page(request)

    return routes


def _static() -> APIRouter:
    routes = _routes()

    @routes.get("/static/{name}", dependencies=[Depends(public())])
    async def static(request: Request, name: str) -> Response:
        return await static_file(request, name)

    for name in AT_THE_ROOT:
        endpoint = partial(static_file, name=name)
        routes.add_api_route(f"/{name}", endpoint, methods=["GET"], dependencies=[Depends(public())], name=name)
    return routes
