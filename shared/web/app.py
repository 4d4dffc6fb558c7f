"""The application factory: middleware, exception handlers, and the routes that belong to no service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from shared.backends.platform import Platform
from shared.settings import Settings
from shared.storage.port import StateStore
from shared.web.admin.health import default_health_checks
from shared.web.admin.operations import operations_router
from shared.web.api.docs import docs_router
from shared.web.api.openapi import DESCRIPTION, DocumentedFastAPI
from shared.web.dependencies import BoundRouter, bind_services
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
from shared.web.http.rate_limit import ConcurrencyLimitMiddleware, RateLimitMiddleware, TokenBuckets
from shared.web.http.request_limits import RequestLimits, merge_limits
from shared.web.http.routes import add_routes
from shared.web.http.stream_limits import StreamRegistry
from shared.web.http.upload_budget import UploadBudget, UploadBudgetMiddleware
from shared.web.views.static_files import static_router

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

TITLE = "Simpul"
TELEMETRY_DISABLED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's telemetry would record more than our privacy rules allow; `RequestContextMiddleware` does it instead."""


def create_app(
    *,
    platform: Platform,
    version: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None,
    stores: Sequence[StateStore],
    openapi_tags: Sequence[Mapping[str, str]] = (),
) -> FastAPI:
    """Create the application: the routers, and routes for health, metrics, documentation and static files."""
    settings = platform.settings
    limits = merge_limits(router.limits for router in routers if isinstance(router, BoundRouter))
    per_address = settings.upload_budget_per_address if settings.public_rate else None
    budget = UploadBudget(per_address, settings.upload_budget, workers=platform.workers)
    app = DocumentedFastAPI(
        title=TITLE,
        version=version,
        description=DESCRIPTION,
        contact={"name": TITLE, "url": settings.origin},
        servers=[{"url": "/", "description": "This server"}],
        openapi_tags=[dict(tag) for tag in openapi_tags],
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header, which the client controls
        middleware=middleware_stack(platform, limits, budget),
        telemetry=TELEMETRY_DISABLED,
    )
    app.state.platform = platform
    app.state.services = {}
    app.state.streams = StreamRegistry(workers=platform.workers)
    app.state.upload_budget = budget
    app.state.health_checks = default_health_checks(stores, platform.documents, platform.log)
    add_exception_handlers(app)
    for router in (operations_router(settings), docs_router(settings), static_router(), *routers):
        add_routes(app.router, router)
        bind_services(app, router)
    return app


def body_limit_policy(settings: Settings, limits: RequestLimits) -> BodyLimitPolicy:
    """The configured limit for forms with files, a small one for every other request."""

    def limit_for(method: str, path: str) -> int:
        return (
            settings.body_limit if limits.upload_path(method, path) else min(MAX_JSON_BODY_BYTES, settings.body_limit)
        )

    return limit_for


def middleware_stack(platform: Platform, limits: RequestLimits, budget: UploadBudget) -> list[Middleware]:
    """The middleware, outermost first.

    Errors are answered inside of the middleware that adds headers; limits to size and rate are enforced inside of both.
    """
    settings = platform.settings
    addresses = ClientAddressResolver(parse_proxies(settings.trusted_proxies))
    stack = [
        Middleware(RequestContextMiddleware, platform.new_id, addresses),
        Middleware(SecurityHeadersMiddleware, settings.tls),
        Middleware(HeadMiddleware),
        Middleware(ErrorMiddleware),
        # Outside of every other limit, because it closes the connection after a refusal with an unread body.
        Middleware(BodyLimitMiddleware, body_limit_policy(settings, limits)),
        Middleware(ConcurrencyLimitMiddleware, settings.connections_per_address, platform.workers.held),
        Middleware(PrintablePathMiddleware),
    ]
    rate = settings.public_rate
    buckets = TokenBuckets(workers=platform.workers)
    rate_limiting = [Middleware(RateLimitMiddleware, limits.rates, rate, buckets)] if rate else []
    return [*stack, *rate_limiting, Middleware(UploadBudgetMiddleware, budget, limits)]
