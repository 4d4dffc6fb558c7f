"""The pages that change the contact of a request: the form, and the confirmation from the new address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from services.intake.dependencies import Intake, set_tracking_cookie, tracking_path
from services.intake.domain.state import State
from services.intake.pages import not_found_page, templates
from services.intake.pages.actions import ActionPage
from services.intake.schemas import ContactBody, ContactConfirmationBody
from shared.runtime.executor import Loaded
from shared.text.cleaning import parse_number
from shared.web.api.idempotency import command_context
from shared.web.auth.access import public
from shared.web.forms.posted_form import PostedForm
from shared.web.http.client_address import client_address, client_network
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

CODE_FIELD = "code"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class ContactPage(ActionPage):
    """The form for another email address or phone."""

    action, template = "kontak", "contact.html"

    def context(self, state: State) -> Mapping[str, Any]:
        applicant = state.form.applicant if state.form else None
        return {"email": applicant.email if applicant else "", "phone": applicant.phone if applicant else ""}

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        body, network = posted.validate(ContactBody), client_network(client_address(self._request))
        await self._intake.change_contact(command_context(self._request), loaded, body, network)
        return True


class ContactConfirmationPage:
    """Confirms a new contact: the code proves access to the new address, also in a browser without the tracking cookie."""

    def __init__(self, request: Request, number: str, change: str, intake: Intake, kode: str = "") -> None:
        self._request = request
        self._number = number
        self._intake = intake
        self._code = kode
        self._change = parse_number(change) or 0

    async def show(self, posted: PostedForm) -> HTMLResponse:
        code = posted.text(CODE_FIELD, self._code)
        loaded = await self._find(code)
        if loaded is None:
            return not_found_page(self._request)
        state = loaded.state
        if state.requested_contact is None or state.contact_change != self._change:
            outdated = templates.words.refusals.contact_outdated
            return templates(
                self._request,
                "moved.html",
                409,
                posted=PostedForm(),
                number=state.number,
                detail=posted.problem.detail if posted.problem else outdated,
                typed=(),
            )
        return templates(
            self._request,
            "contact_confirm.html",
            posted=posted,
            number=state.number,
            email=state.requested_contact.email,
            code=code,
        )

    async def submit(self, posted: PostedForm) -> Response:
        body = posted.validate(ContactConfirmationBody, change=self._change)
        loaded = await self._find(body.code)
        if loaded is None:
            return not_found_page(self._request)
        await self._intake.confirm_contact(command_context(self._request), loaded, body)
        response = see_other(f"{tracking_path(loaded.state.number)}?sudah=kontak-baru")
        set_tracking_cookie(
            response, self._intake, loaded.state.number, self._intake.platform.tracking.token(loaded.id)
        )
        return response

    async def _find(self, code: str) -> Loaded[State] | None:
        """Return the request if the code belongs to this change of its contact."""
        loaded = await self._intake.executor.find_one("number", self._number) if self._change else None
        if loaded is None:
            return None
        return loaded if self._intake.platform.tracking.verify_contact_code(loaded.id, self._change, code) else None


add_form_page(router, "/lacak/{number}/kontak", ContactPage, public())
add_form_page(router, "/lacak/{number}/kontak/{change}", ContactConfirmationPage, public())
