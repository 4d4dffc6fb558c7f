"""Everybody's own account as a page."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.validation import REQUIRED_MESSAGE
from shared.web.auth.access import signed_in
from shared.web.auth.own_account import OwnAccountUpdate, change_own_account
from shared.web.auth.sessions import set_session_cookie
from shared.web.auth.staff_accounts import require_valid, validate_person_name
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import OWN_ACCOUNT
from shared.web.views.page_routes import PageRoute, add_form, see_other

_page = AdminTemplates("shared.web.auth")

SAVED = "tersimpan"


def pages() -> APIRouter:
    """The route of /akun-saya."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    add_form(routes, OWN_ACCOUNT, OwnAccountForm(), signed_in())
    return routes


class OwnAccountForm:
    async def show(self, request: Request, posted: PostedForm) -> Response:
        account = await platform_of(request).accounts.account(request.state.principal.username)
        saved = SAVED in request.query_params and not posted.sent
        return await _page(request, "own_account.html", posted=posted, account=account, saved=saved)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        name = posted.text("name")
        require_valid(name=validate_person_name(name) if name.strip() else REQUIRED_MESSAGE)
        token, _ = await change_own_account(request, request.state.principal, posted.validate(OwnAccountUpdate))
        answer = see_other(f"{OWN_ACCOUNT}?{SAVED}")
        set_session_cookie(request, answer, token)
        return answer
