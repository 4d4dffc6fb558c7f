"""Templates of pages for administrators: with system health in the footer and pending counts in the menu."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.identity.accounts import Role
from shared.web.admin.health import health_summary
from shared.web.dependencies import current_principal
from shared.web.views.rendering import Templates

PendingCounters = Mapping[str, Callable[[], Awaitable[int]]]
"""Functions that count what is pending, by the path of the page that lists it."""


class AdminTemplates:
    """Templates of a package; other users who may open such a page see neither health nor counts."""

    def __init__(self, package: str) -> None:
        self._templates = Templates(package)
        self.words = self._templates.words

    async def __call__(self, request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
        principal = current_principal(request)
        if principal and principal.has_role(Role.ADMIN):
            context = {
                "health": await health_summary(request.app),
                "waiting": await _pending_counts(request),
                **context,
            }
        return self._templates(request, template, status, **context)


async def _pending_counts(request: Request) -> dict[str, int]:
    counters: PendingCounters = getattr(request.app.state, "waiting", {})
    counts = {path: await count() for path, count in counters.items()}
    return {path: number for path, number in counts.items() if number}
