"""Everybody's own account as a page."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.own_account import OwnAccountUpdate, change_own_account
from shared.identity.sessions import set_session_cookie
from shared.identity.staff import require_valid, validate_person_name
from shared.web.access import signed_in
from shared.web.admin_pages import AdminTemplates
from shared.web.bodies import REQUIRED_MESSAGE
from shared.web.navigation import OWN_ACCOUNT
from shared.web.page_routes import PageRoute, add_form, see_other
from shared.web.platform_of import platform_of
from shared.web.posted import PostedForm

_page = AdminTemplates("shared.identity")

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
