"""The pages of signing in and out. A user whose session ended in the middle of a form is led back to it after signing in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.principal import Principal
from shared.web.api.problems import Problem
from shared.web.auth import own_account_pages, staff_account_pages
from shared.web.auth.access import public, session_cookie, signed_in
from shared.web.auth.sessions import Credentials, clear_session_cookie, new_session, set_session_cookie
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.http.routes import add_routes
from shared.web.views.navigation import SIGN_IN, SIGN_OUT, safe_local_path, start_path
from shared.web.views.page_routes import PageRoute, add_form_action, add_form_page, resume_page, see_other
from shared.web.views.rendering import shared_templates

NEXT_PATH, SAVED_FIELDS = "lanjut", "kept"
"""Fields of the sign-in form: the path to continue to, and what was typed into its form."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class SignInPage:
    """The sign-in form."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def show(self, posted: PostedForm) -> Response:
        next_path = safe_local_path(posted.text(NEXT_PATH) or self._request.query_params.get(NEXT_PATH, ""))
        if not posted.sent and (principal := await self._current_principal()):
            return see_other(next_path or start_path(principal))
        return shared_templates(
            self._request,
            "sign_in.html",
            posted=posted,
            next_path=next_path,
            saved_fields=_parse_saved_fields(posted.text(SAVED_FIELDS)),
            session_ended=False,
            signed_out="keluar" in self._request.query_params,
        )

    async def submit(self, posted: PostedForm) -> Response:
        credentials = posted.validate(Credentials, NEXT_PATH, SAVED_FIELDS)
        token, principal = await new_session(self._request, credentials)
        self._request.state.principal = principal
        next_path = safe_local_path(posted.text(NEXT_PATH))
        fields = _parse_saved_fields(posted.text(SAVED_FIELDS))
        if next_path and fields:
            response: Response = resume_page(self._request, next_path, fields)
        else:
            response = see_other(next_path or start_path(principal))
        set_session_cookie(self._request, response, token)
        return response

    async def _current_principal(self) -> Principal | None:
        token = session_cookie(self._request)
        return await platform_of(self._request).identity.authenticate(token) if token else None


class SignOutAction:
    """The button that signs out."""

    def __init__(self, request: Request, principal: Annotated[Principal, Depends(signed_in())]) -> None:
        self._request, self._principal = request, principal

    async def show(self, _posted: PostedForm) -> Response:
        return see_other(start_path(self._principal))

    async def submit(self, _posted: PostedForm) -> Response:
        await platform_of(self._request).identity.sign_out(self._principal)
        response = see_other(f"{SIGN_IN}?keluar")
        clear_session_cookie(self._request, response)
        return response


def _parse_saved_fields(text: str) -> Sequence[tuple[str, str]]:
    """Parse the fields of an interrupted form, which the sign-in page carries as JSON. Raises: Problem 422."""
    try:
        pairs = json.loads(text) if text else []
        if not all(isinstance(pair, list) for pair in pairs):
            raise ValueError("no pairs")
        "".join(part for pair in pairs for part in pair).encode()  # strings that can be encoded again
        return [(name, value) for name, value in pairs]
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(422, "Isian yang disimpan tidak dapat dibaca lagi.") from error


add_form_page(router, SIGN_IN, SignInPage, public())
add_form_action(router, SIGN_OUT, SignOutAction, signed_in())
add_routes(router, own_account_pages.router)
add_routes(router, staff_account_pages.router)
