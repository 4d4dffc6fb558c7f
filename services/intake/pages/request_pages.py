"""What the pages of one request share: the key that opens them, and what whoever has none, or comes too late, is shown."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.intake.domain.state import State
from services.intake.errors import UNKNOWN
from services.intake.presenters import closed_action_refusal, deadlines, open_actions
from services.intake.service import IntakeService
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.web.api.commands import conflict_message
from shared.web.api.problems import Problem
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import see_other
from shared.web.views.rendering import Templates

page = Templates("services.intake")


class TrackingAccess:
    """The pages under /lacak/{number}: a link from an e-mail becomes a cookie, and the cookie opens them."""

    def __init__(self, desk: IntakeService) -> None:
        self.desk = desk
        self._tls = desk.platform.settings.tls
        self._cookie = "__Secure-lacak" if self._tls else "lacak"

    async def opened(self, request: Request, key: str = "") -> Loaded[State] | None:
        """The request that this path names, for whoever holds its key."""
        loaded = await self.desk.opened(request.path_params["number"], key or request.cookies.get(self._cookie, ""))
        if loaded is not None:
            request.state.opened_id = loaded.id
        return loaded

    async def require_tracking_token(self, request: Request) -> None:
        """A dependency: nothing happens for anybody else. Raises Problem 404."""
        if await self.opened(request) is None:
            raise Problem(404, UNKNOWN)

    def set_tracking_cookie(self, answer: Response, number: str, key: str) -> None:
        """From now on this browser opens the request with this number."""
        path = address(number)
        answer.set_cookie(self._cookie, key, path=path, secure=self._tls, httponly=True, samesite="lax")

    async def closed(self, request: Request, loaded: Loaded[State], action: str, posted: PostedForm) -> Response:
        """What happened instead of an action that no longer fits, and what was typed for it."""
        refusal = closed_action_refusal(loaded.state, action)
        problem = posted.problem or await self.desk.problem_of(refusal, loaded.id)
        untried = refusal.code == "moved_on" and not posted.sent
        typed = [
            text for name, texts in posted.texts.items() if name in ("text", "reason", "comment") for text in texts
        ]
        detail = conflict_message(refusal) if untried else problem.detail
        facts = {"number": loaded.state.number, "detail": detail, "typed": typed}
        return page(request, "moved.html", 409, posted=PostedForm(), **facts)


def address(number: str) -> str:
    return f"/lacak/{number}"


def not_found_page(request: Request) -> HTMLResponse:
    """The same for an unknown number and a wrong key."""
    return page(request, "not_found.html", 404)


class ApplicantAction(Protocol):
    """One thing that an applicant may do, on a page of its own."""

    action: str
    template: str

    def facts(self, state: State) -> dict[str, Any]:
        """What its template shows beside the form."""

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        """Do it; False if the form only asks to be shown again. Raises Problem, Refusal and KeyReused."""

    async def held(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> PostedForm:
        """The form with the files that it has so far."""


class ActionPage:
    """The page of a step: for the holder of the key, as long as the step fits."""

    def __init__(self, keyed: TrackingAccess, step: ApplicantAction) -> None:
        self._keyed, self._step = keyed, step

    async def show(self, request: Request, posted: PostedForm) -> Response:
        loaded = await self._keyed.opened(request)
        return not_found_page(request) if loaded is None else await self._shown(request, loaded, posted)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        loaded = await self._keyed.opened(request)
        if loaded is None:
            return not_found_page(request)
        try:
            done = await self._step.take(request, posted, loaded)
        except Refusal as refusal:
            raise await self._keyed.desk.problem_of(refusal, loaded.id) from refusal
        if not done:
            return await self._shown(request, loaded, posted)
        return see_other(f"{address(loaded.state.number)}?sudah={self._step.action}")

    async def _shown(self, request: Request, loaded: Loaded[State], posted: PostedForm) -> Response:
        if self._step.action not in open_actions(loaded.state, self._keyed.desk.day):
            return await self._keyed.closed(request, loaded, self._step.action, posted)
        state = loaded.state
        return page(
            request,
            self._step.template,
            posted=await self._step.held(request, posted, loaded),
            number=state.number,
            status=state.status.value,
            version=loaded.version,
            deadline=next(iter(deadlines(state).values()), None),
            **self._step.facts(state),
        )
