"""The page of a request's notes among staff, for the head and for its lead; their request pages contain the same form."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from services.assignment.access import acting_for_lead
from services.assignment.dependencies import require_head, require_lead
from services.assignment.domain.commands import AddNote
from services.assignment.pages import QUEUE_PATH, WORK_PATH
from services.assignment.pages.staff_page import HeadRequestPage, LeadRequestPage, RequestPage
from shared.web.api.staff_notes import NoteBody
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

NOTES_PATH = "/catatan"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class NotesPage(RequestPage):
    """The notes of a request with the form that adds one."""

    async def show(self, posted: PostedForm) -> Response:
        return await self.render(
            "notes.html", posted=posted, request=self.request_context(await self.load()), back=self.request_url
        )

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        body = posted.validate(NoteBody)
        command = AddNote(acting_for_lead(loaded.state, self.principal).staff, body.text)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(f"{self.request_url}#notes")


class HeadNotesPage(NotesPage, HeadRequestPage):
    """The notes of any request."""


class LeadNotesPage(NotesPage, LeadRequestPage):
    """The notes of an own request."""


add_form_page(router, f"{QUEUE_PATH}/{{request_id}}{NOTES_PATH}", HeadNotesPage, require_head)
add_form_page(router, f"{WORK_PATH}/{{request_id}}{NOTES_PATH}", LeadNotesPage, require_lead)
