"""The page on which a lead hands over: files are kept while the rest of the form is put right, and sent ahead by script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.domain.commands import CompleteWork
from services.assignment.domain.state import State
from services.assignment.errors import REFUSAL_MESSAGES
from services.assignment.handover_service import DOCUMENT_KINDS, FILE_RULES, HandoverService, digest_parts_of_stored
from services.assignment.pages.lead import PATHS, Step, WorkForm, request_url, require_lead
from services.assignment.pages.staff_list import WORK_PATH, StaffPages, url
from services.assignment.schemas import Summary
from shared.contracts.lifecycle import Status
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.web.api.commands import refusal_problem
from shared.web.api.idempotency import command_key, request_digest
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.access import PreBodyDependency
from shared.web.forms.held_files import FileField, FormFiles, HeldFiles, add_uploads
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form, see_other

HANDOVER = Step("handover", PATHS["handover"], Summary, Status.IN_PROGRESS)
SLOTS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in FILE_RULES.items()}


def router(console: StaffPages, completion: HandoverService) -> APIRouter:
    """Routes under /pekerjaan/{id}/serahkan."""
    routes = APIRouter(
        route_class=PageRoute,
        include_in_schema=False,
        dependencies=[Depends(PreBodyDependency(_require_own_work(console)))],
    )
    held = HeldFiles(console.desk.platform, SLOTS)
    path = f"{WORK_PATH}/{{id}}{HANDOVER.path}"
    add_form(routes, path, HandoverForm(console, completion, held), require_lead)
    add_uploads(routes, f"{path}/berkas", held, require_lead)
    return routes


def _require_own_work(console: StaffPages) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets nobody else in, so that nobody uploads to what is not theirs."""

    async def check_own_work(request: Request) -> None:
        await console.desk.get_own_request(request.path_params["id"], request.state.principal)

    return check_own_work


class HandoverForm(WorkForm):
    """The form with the results; what was uploaded stays at hand until it is handed over."""

    def __init__(self, console: StaffPages, completion: HandoverService, held: HeldFiles) -> None:
        super().__init__(console, HANDOVER)
        self._handover_service, self._held = completion, held

    async def page(
        self, request: Request, posted: PostedForm, loaded: Loaded[State], step: str, cursor: str
    ) -> Response:
        posted = await self._held.again(request, posted, loaded.state.course.round)
        return await super().page(request, posted, loaded, step, cursor)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        by = request.state.principal
        loaded = await self.desk.get_own_request(request.path_params["id"], by)
        uploads = await self._held.take(request, posted, loaded.state.course.round)
        if self._held.is_only_removal(posted):
            return await self.show(request, posted)
        summary = self._validated_summary(posted, uploads)
        key = command_key(
            request, f"{by.username}\n{loaded.id}", request_digest(*digest_parts_of_stored(summary, uploads.documents))
        )
        work = CompleteWork(by.staff, summary.summary, uploads.documents, "")
        try:
            answer = await self._handover_service.hand_over(loaded, work, key)
        except Refusal as refusal:
            loaded = await self.desk.get_request(loaded.id)
            raise refusal_problem(refusal, REFUSAL_MESSAGES, loaded.version) from refusal
        await self._held.settle(request, uploads, repeated=answer.repeated)
        return see_other(url(request_url(loaded), done=self.step.name))

    def _validated_summary(self, posted: PostedForm, uploads: FormFiles) -> Summary:
        errors: list[FieldError] = []
        try:
            summary = posted.validate(Summary, *self._held.names)
        except Problem as problem:
            errors += problem.errors
        if errors or uploads.errors:
            raise validation_problem([*errors, *uploads.errors])
        return summary
