"""What the pages of officers have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.verification.dependencies import Context, Officer, Verification
from services.verification.domain.state import State
from services.verification.pages import QUEUE_PATH, templates
from services.verification.presenters import present_request
from shared.runtime.executor import Loaded


@dataclass
class OfficerPage:
    """A page of an officer, created for each request."""

    request: Request
    officer: Officer
    verification: Verification
    context: Context

    async def render(self, template: str, /, **context: Any) -> HTMLResponse:
        waiting = {QUEUE_PATH: await self.verification.count_submitted()}
        return templates(self.request, template, waiting=waiting, **context)


@dataclass
class RequestPage(OfficerPage):
    """A page about one request."""

    request_id: str

    def request_context(self, loaded: Loaded[State]) -> dict[str, Any]:
        verification = self.verification
        return present_request(loaded, verification.today(), verification.rules, verification.checklists)
