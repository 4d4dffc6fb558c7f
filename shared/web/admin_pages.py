"""Pages that administrators meet: at the foot of each how the system is, in its menu how much waits for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.web.health import condition
from shared.web.rendering import Pages

Waiting = Mapping[str, Callable[[], Awaitable[int]]]
"""From the path of a console to how many things there wait to be acted on."""


class AdminPages:
    """The Pages of a package; whoever else may open one of them sees neither health nor numbers."""

    def __init__(self, package: str):
        self._pages = Pages(package)
        self.words = self._pages.words

    async def __call__(self, request: Request, template: str, status: int = 200, /, **facts: Any) -> HTMLResponse:
        principal = getattr(request.state, "principal", None)
        if isinstance(principal, Principal) and principal.has(Role.ADMIN):
            facts = {"health": await condition(request.app), "waiting": await _waiting(request), **facts}
        return self._pages(request, template, status, **facts)


async def _waiting(request: Request) -> dict[str, int]:
    counters: Waiting = getattr(request.app.state, "waiting", {})
    counted = {path: await count() for path, count in counters.items()}
    return {path: number for path, number in counted.items() if number}
