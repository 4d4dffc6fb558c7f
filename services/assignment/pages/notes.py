"""The page of a request's notes among staff, for the head and for its lead; their request pages contain the same form."""

from __future__ import annotations

from typing import ClassVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.assignment.access import acting_for_lead
from services.assignment.dependencies import Assignment, Context, Head, Lead, require_head, require_lead
from services.assignment.domain.commands import AddNote
from services.assignment.domain.state import State
from services.assignment.pages import QUEUE_PATH, WORK_PATH
from services.assignment.pages.staff_page import StaffPage
from services.assignment.service import AssignmentService
from shared.identity.service import Principal
from shared.runtime.executor import Loaded
from shared.web.api.idempotency import CommandContext
from shared.web.api.staff_notes import NoteBody
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

NOTES_PATH = "/catatan"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class NotesPage(StaffPage):
    """The notes of a request with the form that adds one."""

    base: ClassVar[str]

    def __init__(
        self,
        request_id: str,
        request: Request,
        principal: Principal,
        assignment: AssignmentService,
        context: CommandContext,
    ) -> None:
        super().__init__(request, principal, assignment)
        self.request_id, self.context = request_id, context

    async def loaded(self) -> Loaded[State]:
        """Return the request. Raises Problem 404 if this person may not read it here."""
        raise NotImplementedError

    async def show(self, posted: PostedForm) -> Response:
        loaded = await self.loaded()
        return await self.render(
            "notes.html", posted=posted, request=self.request_context(loaded), back=self._request_url(loaded)
        )

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.loaded()
        body = posted.validate(NoteBody)
        command = AddNote(acting_for_lead(loaded.state, self.principal).staff, body.text)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(self._request_url(loaded) + "#notes")

    def _request_url(self, loaded: Loaded[State]) -> str:
        return f"{self.base}/{loaded.id}"


class HeadNotesPage(NotesPage):
    base = QUEUE_PATH

    def __init__(self, request_id: str, request: Request, head: Head, assignment: Assignment, context: Context) -> None:
        super().__init__(request_id, request, head, assignment, context)

    async def loaded(self) -> Loaded[State]:
        return await self.assignment.get_request(self.request_id)


class LeadNotesPage(NotesPage):
    base = WORK_PATH

    def __init__(self, request_id: str, request: Request, lead: Lead, assignment: Assignment, context: Context) -> None:
        super().__init__(request_id, request, lead, assignment, context)

    async def loaded(self) -> Loaded[State]:
        return await self.assignment.get_own_request(self.request_id, self.principal)


add_form_page(router, f"{QUEUE_PATH}/{{request_id}}{NOTES_PATH}", HeadNotesPage, require_head)
add_form_page(router, f"{WORK_PATH}/{{request_id}}{NOTES_PATH}", LeadNotesPage, require_lead)
