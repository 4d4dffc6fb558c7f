"""Routes for the operators: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Any

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Role
from shared.secrets import read_secret
from shared.settings import Settings
from shared.web.admin.health import readiness
from shared.web.auth.access import GuardedRoute, public, signed_in
from shared.workers.group import METRICS_FOLDER_VARIABLE

_require_admin = signed_in(Role.ADMIN)


class MetricsToken:
    """A dependency that accepts the configured bearer token, or else the session of an administrator."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}".encode()

    async def __call__(self, request: Request) -> None:
        sent = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(sent, self._header):
            await _require_admin(request)


def operations_router(settings: Settings) -> APIRouter:
    """Routes under /health, and /metrics."""
    token = _metrics_token(settings)
    guards = [Depends(public()), Depends(MetricsToken(token))] if token else [Depends(_require_admin)]
    router = APIRouter(route_class=GuardedRoute, include_in_schema=False)
    router.add_api_route("/health/live", check_liveness, methods=["GET"], dependencies=[Depends(public())])
    router.add_api_route("/health/ready", check_readiness, methods=["GET"], dependencies=[Depends(public())])
    router.add_api_route("/metrics", export_metrics, methods=["GET"], dependencies=guards)
    return router


def _metrics_token(settings: Settings) -> str:
    file = settings.metrics_token_file
    return read_secret(file, "SIMPUL_METRICS_TOKEN_FILE") if file else settings.metrics_token.get_secret_value()


async def check_liveness() -> dict[str, str]:
    return {"status": "ok"}


async def check_readiness(request: Request) -> dict[str, Any]:
    state = request.app.state
    return await readiness(state.health_checks, state.streams.closing)


async def export_metrics() -> Response:
    return Response(await asyncio.to_thread(_encode_metrics), media_type=CONTENT_TYPE_LATEST)


def _encode_metrics() -> bytes:
    """The metrics of this process, or of all workers together if there are several."""
    if METRICS_FOLDER_VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
