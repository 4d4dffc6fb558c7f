"""The page of a staff member's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.account_names import validate_person_name
from shared.identity.principal import Principal
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.validation import REQUIRED_MESSAGE
from shared.web.auth.access import signed_in
from shared.web.auth.own_account import OwnAccountUpdate, change_own_account
from shared.web.auth.sessions import set_session_cookie
from shared.web.auth.staff_accounts import require_valid
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import OWN_ACCOUNT
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

SAVED = "tersimpan"

templates = AdminTemplates("shared.web.auth")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class OwnAccountPage:
    """The form for one's own name and password."""

    def __init__(self, request: Request, principal: Annotated[Principal, Depends(signed_in())]) -> None:
        self._request, self._principal = request, principal

    async def show(self, posted: PostedForm) -> Response:
        account = await platform_of(self._request).accounts.account(self._principal.username)
        saved = SAVED in self._request.query_params and not posted.sent
        return await templates(self._request, "own_account.html", posted=posted, account=account, saved=saved)

    async def submit(self, posted: PostedForm) -> Response:
        name = posted.text("name")
        require_valid(name=validate_person_name(name) if name.strip() else REQUIRED_MESSAGE)
        token, _ = await change_own_account(self._request, self._principal, posted.validate(OwnAccountUpdate))
        response = see_other(f"{OWN_ACCOUNT}?{SAVED}")
        set_session_cookie(self._request, response, token)
        return response


add_form_page(router, OWN_ACCOUNT, OwnAccountPage, signed_in())
