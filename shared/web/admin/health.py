"""Health checks of what the services depend on, and the readiness that follows from them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.storage.port import StateStore
from shared.web.api.problems import RETRY_AFTER_SECONDS, Problem
from shared.web.views.rendering import shared_templates

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_SECONDS = 1.0
"""Time limit of one check."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A named check; `probe` raises or returns False on failure. A failed check that is not critical only degrades."""

    name: str
    probe: Callable[[], Awaitable[object]]
    critical: bool = True


def default_health_checks(
    stores: Sequence[StateStore], documents: DocumentStore, log: EventLog
) -> tuple[HealthCheck, ...]:
    """Checks of state, documents and log. The log is not critical: requests are stored without it and published later."""

    async def check_stores() -> None:
        for store in stores:
            await store.ready()

    return (
        HealthCheck("state", check_stores),
        HealthCheck("documents", documents.ready),
        HealthCheck("log", log.ready, critical=False),
    )


async def readiness(checks: Sequence[HealthCheck], closing: asyncio.Event) -> dict[str, Any]:
    """`{status, parts}` with status ok or degraded. Raises Problem 503 if a critical check fails, or during shutdown."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS}
    if closing.is_set():
        raise Problem(503, "Layanan sedang dihentikan.", headers=headers)
    results = await run_checks(checks)
    parts = {check.name: "ok" if healthy else "down" for check, healthy in results.items()}
    if any(check.critical and not healthy for check, healthy in results.items()):
        raise Problem(503, "Layanan belum siap menerima pekerjaan.", headers=headers, parts=parts)
    return {"status": "ok" if all(results.values()) else "degraded", "parts": parts}


async def health_summary(app: FastAPI) -> dict[str, str]:
    """`{version, status, parts}` for the footer of a page: status ok, degraded or down, and the names of failing checks."""
    checks: Sequence[HealthCheck] = app.state.health_checks
    failing = [check for check, healthy in (await run_checks(checks)).items() if not healthy]
    status = "down" if any(check.critical for check in failing) else "degraded" if failing else "ok"
    names = shared_templates.words["foot"]["parts"]
    return {"version": app.version, "status": status, "parts": ", ".join(names[check.name] for check in failing)}


async def run_checks(checks: Sequence[HealthCheck]) -> dict[HealthCheck, bool]:
    """Run all checks concurrently; a check that exceeds the time limit has failed."""
    return dict(zip(checks, await asyncio.gather(*(_is_healthy(check) for check in checks)), strict=True))


async def _is_healthy(check: HealthCheck) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await check.probe() is not False
    except Exception as error:
        logger.warning("%s is not ready: %r", check.name, error)
        return False
