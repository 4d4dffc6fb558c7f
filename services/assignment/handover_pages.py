"""The page on which a lead hands over: files are kept while the rest of the form is put right, and sent ahead by script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.completion import FILES, KINDS, Completion, told_stored
from services.assignment.console import WORK, Console, address
from services.assignment.domain import CompleteWork, State
from services.assignment.fields import Summary
from services.assignment.lead_pages import LEAD, PATHS, Step, WorkForm, here
from services.assignment.sentences import SENTENCES
from shared.contracts.course import Status
from shared.runtime.decider import Refusal
from shared.runtime.execution import Kept
from shared.web.access import BeforeBody
from shared.web.bodies import FieldError
from shared.web.commands import problem_of
from shared.web.held_files import HeldFiles, Slot, Taken, add_uploads
from shared.web.idempotency import command_key, digest_of
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.posted import Posted
from shared.web.problems import Problem, invalid

HANDOVER = Step("handover", PATHS["handover"], Summary, Status.IN_PROGRESS)
SLOTS = {name: Slot(KINDS[name], rule) for name, rule in FILES.items()}


def router(console: Console, completion: Completion) -> APIRouter:
    """Routes under /pekerjaan/{id}/serahkan."""
    routes = APIRouter(
        route_class=PageRoute, include_in_schema=False, dependencies=[Depends(BeforeBody(_own_work(console)))]
    )
    held = HeldFiles(console.desk.platform, SLOTS)
    path = f"{WORK}/{{id}}{HANDOVER.path}"
    add_form(routes, path, Handover(console, completion, held), LEAD)
    add_uploads(routes, f"{path}/berkas", held, LEAD)
    return routes


def _own_work(console: Console) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets nobody else in, so that nobody uploads to what is not theirs."""

    async def own_work(request: Request) -> None:
        await console.desk.work_of(request.path_params["id"], request.state.principal)

    return own_work


class Handover(WorkForm):
    """The form with the results; what was uploaded stays at hand until it is handed over."""

    def __init__(self, console: Console, completion: Completion, held: HeldFiles):
        super().__init__(console, HANDOVER)
        self._completion, self._held = completion, held

    async def page(self, request: Request, posted: Posted, kept: Kept[State], step: str, cursor: str) -> Response:
        posted = await self._held.again(request, posted, kept.state.course.round)
        return await super().page(request, posted, kept, step, cursor)

    async def act(self, request: Request, posted: Posted) -> Response:
        by = request.state.principal
        kept = await self.desk.work_of(request.path_params["id"], by)
        taken = await self._held.take(request, posted, kept.state.course.round)
        if self._held.wants_only_to_remove(posted):
            return await self.show(request, posted)
        summary = self._judged(posted, taken)
        key = command_key(request, f"{by.username}\n{kept.id}", digest_of(*told_stored(summary, taken.documents)))
        work = CompleteWork(by.staff, summary.summary, taken.documents, "")
        try:
            answer = await self._completion.hand_over(kept, work, key)
        except Refusal as refusal:
            kept = await self.desk.known(kept.id)
            raise problem_of(refusal, SENTENCES, kept.version) from refusal
        await self._held.settle(request, taken, repeated=answer.repeated)
        return see(address(here(kept), done=self.step.name))

    def _judged(self, posted: Posted, taken: Taken) -> Summary:
        errors: list[FieldError] = []
        try:
            summary = posted.judged(Summary, *self._held.names)
        except Problem as problem:
            errors += problem.errors
        if errors or taken.errors:
            raise invalid([*errors, *taken.errors])
        return summary
