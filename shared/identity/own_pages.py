"""Everybody's own account as a page."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.own_account import OwnChange, change_own
from shared.identity.sessions import give_session
from shared.identity.staff import check, valid_name
from shared.web.access import signed_in
from shared.web.admin_pages import AdminPages
from shared.web.bodies import REQUIRED
from shared.web.navigation import OWN_ACCOUNT
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.platform_of import platform_of
from shared.web.posted import Posted

_page = AdminPages("shared.identity")

SAVED = "tersimpan"


def pages() -> APIRouter:
    """The route of /akun-saya."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    add_form(routes, OWN_ACCOUNT, OwnAccount(), signed_in())
    return routes


class OwnAccount:
    async def show(self, request: Request, posted: Posted) -> Response:
        account = await platform_of(request).accounts.account(request.state.principal.username)
        saved = SAVED in request.query_params and not posted.sent
        return await _page(request, "own_account.html", posted=posted, account=account, saved=saved)

    async def act(self, request: Request, posted: Posted) -> Response:
        name = posted.text("name")
        check(name=valid_name(name) if name.strip() else REQUIRED)
        token, _ = await change_own(request, request.state.principal, posted.judged(OwnChange))
        answer = see(f"{OWN_ACCOUNT}?{SAVED}")
        give_session(request, answer, token)
        return answer
