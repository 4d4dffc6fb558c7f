"""Routes of pages: who has no session is asked to sign in and gets back what was typed, and no form is heard without proof that
it came from our own page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.identity.identity import Principal
from shared.runtime.execution import KeyReused
from shared.web.access import (
    SAFE_METHODS,
    Public,
    SignedIn,
    guards_before_body,
    require_role,
    require_same_origin,
    session_cookie,
    staff_guards,
)
from shared.web.answers import KNOWN
from shared.web.body_limit import JSON_LIMIT
from shared.web.csrf import csrf_fits
from shared.web.multipart import FormLimits
from shared.web.navigation import SIGN_IN
from shared.web.platform_of import platform_of
from shared.web.posted import Posted, read_posted
from shared.web.problems import Problem, problem_of
from shared.web.rendering import shared_pages

LOOKS_BY_ITSELF = "X-Live"
"""The header of a page that fetches what has changed without anybody asking."""

Answering = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that people meet. Use: `APIRouter(route_class=PageRoute)`; it cannot be made without saying who may."""

    def get_route_handler(self) -> Answering:
        guards, before_body = staff_guards(self), guards_before_body(self)
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if guards:
                request.state.principal = await _session_of(request)
            if request.method in SAFE_METHODS:
                return await _looked_at(request, guards, handle)
            require_same_origin(request)
            if guards and request.state.principal is None and not _worth_reading(request):
                return sign_in_again(request)
            if not guards or request.state.principal is not None:
                _check_roles(request, guards)
                for guard in before_body:
                    await guard(request)
            return await _sent(request, guards, handle)

        return answer


def _worth_reading(request: Request) -> bool:
    """Whether a form of somebody who is not signed in is read, so that what was typed can be given back: a small one alone.

    Whether its browser still has the cookie of a session says nothing: it is dropped when the longest session ends.
    """
    declared = request.headers.get("content-length", "")
    return declared.isdigit() and int(declared) <= JSON_LIMIT


async def _session_of(request: Request) -> Principal | None:
    token = session_cookie(request)
    used = LOOKS_BY_ITSELF not in request.headers
    return await platform_of(request).identity.resolve(token, used=used) if token else None


async def _looked_at(request: Request, guards: Sequence[SignedIn], handle: Answering) -> Response:
    if guards and request.state.principal is None:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'lanjut': request.url.path + query})}", 303)
    _check_roles(request, guards)
    return await handle(request)


async def _sent(request: Request, guards: Sequence[SignedIn], handle: Answering) -> Response:
    async with read_posted(request, FormLimits(file=platform_of(request).settings.file_limit)) as posted:
        if guards and request.state.principal is None:
            return sign_in_again(request, posted)
        if not csrf_fits(request, posted.csrf):
            return resume_page(request, request.url.path, posted.kept())
        request.state.posted, request.state.form_key = posted, posted.key
        return await handle(request)


def _check_roles(request: Request, guards: Sequence[SignedIn]) -> None:
    for guard in guards:
        require_role(request, request.state.principal, guard.roles)


def sign_in_again(request: Request, posted: Posted | None = None) -> Response:
    """The sign-in page that keeps what was typed until its owner is back, or says that it was not read."""
    kept = posted.kept() if posted else ()
    facts = {"onward": request.url.path, "kept": kept, "ended": True, "unread": posted is None}
    return shared_pages(request, "sign_in.html", 401, posted=Posted(), **facts)


def resume_page(request: Request, path: str, kept: Sequence[tuple[str, str]]) -> Response:
    """Gives back what was typed, to be looked at once more before anything is done with it."""
    return shared_pages(request, "resume.html", path=path, kept=kept)


def posted_of(request: Request) -> Posted:
    return cast(Posted, request.state.posted)


class Form(Protocol):
    """A page with a form: how it is shown, empty or with what was typed, and what happens when it is sent."""

    async def show(self, request: Request, posted: Posted) -> Response:
        """Raises Problem, for a page that is not there."""

    async def act(self, request: Request, posted: Posted) -> Response:
        """Raises Problem or anything that is answered as one; then the form is shown again with the reason."""


def add_form(routes: APIRouter, path: str, form: Form, guard: SignedIn | Public) -> None:
    """The page at `path` of these routes, to look at and to send. What `path` holds is in `request.path_params`."""

    async def look(request: Request) -> Response:
        return await form.show(request, Posted(key=platform_of(request).new_id()))

    routes.add_api_route(path, look, methods=["GET"], dependencies=[Depends(guard)], response_model=None)
    add_action(routes, path, form, guard)


def add_action(routes: APIRouter, path: str, form: Form, guard: SignedIn | Public) -> None:
    """The same for a form that stands on another page: it is only sent."""

    async def send(request: Request) -> Response:
        posted = posted_of(request)
        if not posted.key:
            posted = replace(posted, key=platform_of(request).new_id())
        if posted.resumed:
            return await form.show(request, posted)
        try:
            return await form.act(request, posted)
        except KeyReused:
            # Who has read that, and sends it all the same, means it.
            posted = replace(posted, key=platform_of(request).new_id())
            return await _shown_again(request, form, posted, Problem(409, shared_pages.words.sent_before))
        except KNOWN as error:
            return await _shown_again(request, form, posted, problem_of(error))

    routes.add_api_route(path, send, methods=["POST"], dependencies=[Depends(guard)], response_model=None)


async def _shown_again(request: Request, form: Form, posted: Posted, problem: Problem) -> Response:
    """The form with the reason, under the status of the reason; who may not see the form sees the reason alone."""
    if problem.status_code in (403, 404):
        raise problem
    answer = await form.show(request, posted.with_problem(problem))
    answer.status_code = problem.status_code
    answer.headers.update(problem.headers or {})
    return answer


def see(path: str) -> RedirectResponse:
    """After something was done: the page where it shows, so that a reload does nothing again."""
    return RedirectResponse(path, 303)
