"""The page on which a lead hands over; its files are held while the rest of the form is corrected."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.access import acting_for_lead
from services.assignment.dependencies import Assignment, Context, Handovers, Lead, require_lead
from services.assignment.domain.commands import CompleteWork
from services.assignment.domain.state import State
from services.assignment.handover_service import DOCUMENT_KINDS, FILE_RULES, digest_parts_of_stored
from services.assignment.pages import WORK_PATH
from services.assignment.pages.lead import HANDOVER, WorkPage
from services.assignment.schemas import HandoverFields
from services.assignment.service import AssignmentService
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.web.api.idempotency import request_digest
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.access import PreBodyDependency
from shared.web.dependencies import provide
from shared.web.forms.held_files import FileField, FormFiles, HeldFiles, receive_upload
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import page_url
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

FILE_FIELDS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in FILE_RULES.items()}
HANDOVER_PATH = f"{WORK_PATH}/{{request_id}}{HANDOVER.path}"


async def require_own_request(request: Request) -> None:
    """Let only the lead of the request upload. Raises Problem 404."""
    assignment = provide(AssignmentService)(request)
    await assignment.get_own_request(request.path_params["request_id"], await require_lead(request))


def handover_files(assignment: Assignment) -> HeldFiles:
    """Return the files of handover forms."""
    return HeldFiles(assignment.platform, FILE_FIELDS)


HandoverFiles = Annotated[HeldFiles, Depends(handover_files)]

router = APIRouter(
    route_class=PageRoute, include_in_schema=False, dependencies=[Depends(PreBodyDependency(require_own_request))]
)


class HandoverPage(WorkPage):
    """The form with the results."""

    step = HANDOVER
    statuses = (HANDOVER.status,)

    def __init__(
        self,
        request_id: str,
        request: Request,
        lead: Lead,
        assignment: Assignment,
        context: Context,
        handovers: Handovers,
        files: HandoverFiles,
    ) -> None:
        super().__init__(request, lead, assignment, context, request_id)
        self._handovers = handovers
        self._files = files

    async def extra_context(self, loaded: Loaded[State], posted: PostedForm) -> dict[str, Any]:
        redisplayed = await self._files.redisplay(self.request, posted, loaded.state.course.round)
        return {**await super().extra_context(loaded, posted), "posted": redisplayed}

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        files = await self._files.collect(self.request, posted, loaded.state.course.round)
        if self._files.is_only_removal(posted):
            return await self.show(posted)
        fields = self._validate(posted, files)
        digest = request_digest(*digest_parts_of_stored(fields, files.documents))
        key = self.context.command_key(f"{self.principal.username}\n{loaded.id}", digest)
        command = CompleteWork(acting_for_lead(loaded.state, self.principal).staff, fields.summary, files.documents, "")
        try:
            result = await self._handovers.hand_over(loaded, command, key)
        except Refusal as refusal:
            raise await self.assignment.refusal_problem(loaded.id, refusal) from refusal
        await self._files.release(self.request, files, repeated=result.repeated)
        return see_other(page_url(self.request_url, done=self.step.name))

    def _validate(self, posted: PostedForm, files: FormFiles) -> HandoverFields:
        """Validate fields and files together. Raises Problem 422."""
        errors: list[FieldError] = []
        try:
            fields = posted.validate(HandoverFields, *self._files.names)
        except Problem as problem:
            errors += problem.errors
        if errors or files.errors:
            raise validation_problem([*errors, *files.errors])
        return fields


add_form_page(router, HANDOVER_PATH, HandoverPage, require_lead)


@router.post(f"{HANDOVER_PATH}/berkas")
async def upload_file(
    request_id: str, request: Request, lead: Lead, assignment: Assignment, files: HandoverFiles
) -> Response:
    """Store a file before its form is sent."""
    loaded = await assignment.get_own_request(request_id, lead)
    return await receive_upload(request, files, loaded.state.course.round)
