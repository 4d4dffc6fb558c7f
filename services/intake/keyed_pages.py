"""What the pages of one request share: the key that opens them, and what whoever has none, or comes too late, is shown."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.intake.desk import Desk
from services.intake.queries import deadlines, open_actions, why_closed
from services.intake.sentences import UNKNOWN
from services.intake.state import State
from shared.runtime.decider import Refusal
from shared.runtime.execution import Kept
from shared.web.commands import happened
from shared.web.page_routes import see
from shared.web.posted import Posted
from shared.web.problems import Problem
from shared.web.rendering import Pages

page = Pages("services.intake")


class Keyed:
    """The pages under /lacak/{number}: a link from an e-mail becomes a cookie, and the cookie opens them."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self._tls = desk.platform.settings.tls
        self._cookie = "__Secure-lacak" if self._tls else "lacak"

    async def opened(self, request: Request, key: str = "") -> Kept[State] | None:
        """The request that this path names, for whoever holds its key."""
        kept = await self.desk.opened(request.path_params["number"], key or request.cookies.get(self._cookie, ""))
        if kept is not None:
            request.state.opened_id = kept.id
        return kept

    async def require_key(self, request: Request) -> None:
        """A dependency: nothing happens for anybody else. Raises Problem 404."""
        if await self.opened(request) is None:
            raise Problem(404, UNKNOWN)

    def give_key(self, answer: Response, number: str, key: str) -> None:
        """From now on this browser opens the request with this number."""
        path = address(number)
        answer.set_cookie(self._cookie, key, path=path, secure=self._tls, httponly=True, samesite="lax")

    async def closed(self, request: Request, kept: Kept[State], action: str, posted: Posted) -> Response:
        """What happened instead of an action that no longer fits, and what was typed for it."""
        refusal = why_closed(kept.state, action)
        problem = posted.problem or await self.desk.problem_of(refusal, kept.id)
        untried = refusal.code == "moved_on" and not posted.sent
        typed = [
            text for name, texts in posted.texts.items() if name in ("text", "reason", "comment") for text in texts
        ]
        detail = happened(refusal) if untried else problem.detail
        facts = {"number": kept.state.number, "detail": detail, "typed": typed}
        return page(request, "moved.html", 409, posted=Posted(), **facts)


def address(number: str) -> str:
    return f"/lacak/{number}"


def not_found(request: Request) -> HTMLResponse:
    """The same for an unknown number and a wrong key."""
    return page(request, "not_found.html", 404)


class Step(Protocol):
    """One thing that an applicant may do, on a page of its own."""

    action: str
    template: str

    def facts(self, state: State) -> dict[str, Any]:
        """What its template shows beside the form."""

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        """Do it; False if the form only asks to be shown again. Raises Problem, Refusal and KeyReused."""

    async def held(self, request: Request, posted: Posted, kept: Kept[State]) -> Posted:
        """The form with the files that it has so far."""


class StepPage:
    """The page of a step: for the holder of the key, as long as the step fits."""

    def __init__(self, keyed: Keyed, step: Step):
        self._keyed, self._step = keyed, step

    async def show(self, request: Request, posted: Posted) -> Response:
        kept = await self._keyed.opened(request)
        return not_found(request) if kept is None else await self._shown(request, kept, posted)

    async def act(self, request: Request, posted: Posted) -> Response:
        kept = await self._keyed.opened(request)
        if kept is None:
            return not_found(request)
        try:
            done = await self._step.take(request, posted, kept)
        except Refusal as refusal:
            raise await self._keyed.desk.problem_of(refusal, kept.id) from refusal
        if not done:
            return await self._shown(request, kept, posted)
        return see(f"{address(kept.state.number)}?sudah={self._step.action}")

    async def _shown(self, request: Request, kept: Kept[State], posted: Posted) -> Response:
        if self._step.action not in open_actions(kept.state, self._keyed.desk.day):
            return await self._keyed.closed(request, kept, self._step.action, posted)
        state = kept.state
        return page(
            request,
            self._step.template,
            posted=await self._step.held(request, posted, kept),
            number=state.number,
            status=state.status.value,
            version=kept.version,
            deadline=next(iter(deadlines(state).values()), None),
            **self._step.facts(state),
        )
