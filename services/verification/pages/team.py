"""What officers share about a request: who checks it, and notes among staff. The request's page contains the same form."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from services.verification.dependencies import require_officer
from services.verification.domain.commands import AddNote, ReleaseClaim
from services.verification.domain.state import State
from services.verification.errors import TEXTS
from services.verification.pages import QUEUE_PATH
from services.verification.pages.officer_page import RequestPage
from services.verification.pages.queue import list_suffix, parse_list
from services.verification.schemas import ClaimBody
from services.verification.service import VerificationService
from shared.identity.principal import Principal
from shared.runtime.executor import Loaded
from shared.web.api.problems import validation_problem
from shared.web.api.staff_notes import NoteBody, present_notes
from shared.web.api.validation import FieldError
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

TEAM_PATH = "/tim"

router = APIRouter(prefix=QUEUE_PATH, route_class=PageRoute, include_in_schema=False)


async def team_context(verification: VerificationService, loaded: Loaded[State], officer: Principal) -> dict[str, Any]:
    """Record that this officer has the request open, and return what the page of a request shows of the team."""
    viewers = await verification.platform.presence.enter(loaded.id, officer.staff)
    return {
        "open_by": [viewer.name for viewer in viewers],
        "officers": await verification.officers(),
        "notes": present_notes(loaded.state.notes),
    }


class TeamPage(RequestPage):
    """Who checks a request, and its notes."""

    async def show(self, posted: PostedForm) -> Response:
        loaded = await self.verification.get_request(self.request_id)
        return await self.render(
            "team_page.html",
            posted=posted,
            request=self.request_context(loaded),
            from_list=list_suffix(parse_list(self.request)),
            **await team_context(self.verification, loaded, self.officer),
        )

    async def submit(self, posted: PostedForm) -> Response:
        staff, verification = self.officer.staff, self.verification
        match posted.button:
            case "note":
                note = posted.validate(NoteBody, "officer")
                await verification.execute(self.context, self.request_id, AddNote(staff, note.text), note)
            case "release":
                await verification.execute(self.context, self.request_id, ReleaseClaim(staff), "release")
            case "assign" if not posted.text("officer"):
                raise validation_problem([FieldError("officer", TEXTS.team.choose)])
            case "assign" | "claim":
                claim = ClaimBody(officer=posted.text("officer") if posted.button == "assign" else None)
                command = await verification.claim_command(staff, claim.officer)
                await verification.execute(self.context, self.request_id, command, claim)
            case _:
                return await self.show(posted)
        return see_other(f"{QUEUE_PATH}/{self.request_id}{list_suffix(parse_list(self.request))}#tim")


add_form_page(router, f"/{{request_id}}{TEAM_PATH}", TeamPage, require_officer)
