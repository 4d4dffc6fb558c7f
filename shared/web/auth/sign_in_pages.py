"""The pages of signing in and out, and of accounts. Whoever was sent here in the middle of something is led back to it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.service import Principal
from shared.web.api.problems import Problem
from shared.web.auth import own_account_pages, staff_account_pages
from shared.web.auth.access import public, session_cookie, signed_in
from shared.web.auth.sessions import Credentials, clear_session_cookie, new_session, set_session_cookie
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import SIGN_IN, SIGN_OUT, safe_local_path, start_path
from shared.web.views.page_routes import PageRoute, add_action, add_form, resume_page, see_other
from shared.web.views.rendering import shared_templates

ONWARD, KEPT = "lanjut", "kept"

Pairs = Sequence[tuple[str, str]]


def pages() -> APIRouter:
    """Routes for everybody who has an account."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    add_form(routes, SIGN_IN, SignInForm(), public())
    add_action(routes, SIGN_OUT, SignOutForm(), signed_in())
    routes.include_router(own_account_pages.pages())
    routes.include_router(staff_account_pages.pages())
    return routes


class SignInForm:
    async def show(self, request: Request, posted: PostedForm) -> Response:
        onward = posted.text(ONWARD) or request.query_params.get(ONWARD, "")
        if not posted.sent and (known := await _current_principal(request)):
            return see_other(safe_local_path(onward) or start_path(known))
        return shared_templates(
            request,
            "sign_in.html",
            posted=posted,
            onward=safe_local_path(onward),
            kept=_parse_saved_fields(posted.text(KEPT)),
            ended=False,
            left="keluar" in request.query_params,
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        credentials = posted.validate(Credentials, ONWARD, KEPT)
        token, principal = await new_session(request, credentials)
        request.state.principal = principal
        onward = safe_local_path(posted.text(ONWARD))
        kept = _parse_saved_fields(posted.text(KEPT))
        answer = resume_page(request, onward, kept) if onward and kept else see_other(onward or start_path(principal))
        set_session_cookie(request, answer, token)
        return answer


async def _current_principal(request: Request) -> Principal | None:
    token = session_cookie(request)
    return await platform_of(request).identity.authenticate(token) if token else None


class SignOutForm:
    async def show(self, request: Request, posted: PostedForm) -> Response:
        return see_other(start_path(request.state.principal))

    async def act(self, request: Request, posted: PostedForm) -> Response:
        await platform_of(request).identity.sign_out(request.state.principal)
        answer = see_other(f"{SIGN_IN}?keluar")
        clear_session_cookie(request, answer)
        return answer


def _parse_saved_fields(text: str) -> Pairs:
    """What a form said before its session ended, as the sign-in page carries it. Raises Problem 422."""
    try:
        pairs = json.loads(text) if text else []
        if not all(isinstance(pair, list) for pair in pairs):
            raise ValueError("no pairs")
        "".join(part for pair in pairs for part in pair).encode()  # texts, and nothing that cannot be sent again
        return [(name, value) for name, value in pairs]
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(422, "Isian yang disimpan tidak dapat dibaca lagi.") from error
