"""Routes of pages: who has no session is asked to sign in and gets back what was typed, and no form is heard without proof that
it came from our own page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.identity.service import Principal
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api.problems import Problem, problem_from
from shared.web.auth.access import (
    SAFE_METHODS,
    Public,
    SignedIn,
    pre_body_dependencies,
    require_role,
    require_same_origin,
    session_cookie,
    staff_guards,
)
from shared.web.auth.csrf import verify_csrf_token
from shared.web.dependencies import platform_of
from shared.web.forms.multipart import FormLimits
from shared.web.forms.posted_form import PostedForm, read_posted
from shared.web.http.body_limit import MAX_JSON_BODY_BYTES
from shared.web.http.exception_handlers import HANDLED_EXCEPTIONS
from shared.web.views.navigation import SIGN_IN
from shared.web.views.rendering import shared_templates

BACKGROUND_POLL_HEADER = "X-Live"
"""The header of a page that fetches what has changed without anybody asking."""

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that people meet. Use: `APIRouter(route_class=PageRoute)`; it cannot be made without saying who may."""

    def get_route_handler(self) -> RouteHandler:
        guards, before_body = staff_guards(self), pre_body_dependencies(self)
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if guards:
                request.state.principal = await _resolve_session(request)
            if request.method in SAFE_METHODS:
                return await _handle_get(request, guards, handle)
            require_same_origin(request)
            if guards and request.state.principal is None and not _is_small_form(request):
                return sign_in_required(request)
            if not guards or request.state.principal is not None:
                _check_roles(request, guards)
                for guard in before_body:
                    await guard(request)
            return await _handle_post(request, guards, handle)

        return answer


def _is_small_form(request: Request) -> bool:
    """Whether a form of somebody who is not signed in is read, so that what was typed can be given back: a small one alone.

    Whether its browser still has the cookie of a session says nothing: it is dropped when the longest session ends.
    """
    declared = request.headers.get("content-length", "")
    return declared.isdigit() and int(declared) <= MAX_JSON_BODY_BYTES


async def _resolve_session(request: Request) -> Principal | None:
    token = session_cookie(request)
    used = BACKGROUND_POLL_HEADER not in request.headers
    return await platform_of(request).identity.authenticate(token, used=used) if token else None


async def _handle_get(request: Request, guards: Sequence[SignedIn], handle: RouteHandler) -> Response:
    if guards and request.state.principal is None:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'lanjut': request.url.path + query})}", 303)
    _check_roles(request, guards)
    return await handle(request)


async def _handle_post(request: Request, guards: Sequence[SignedIn], handle: RouteHandler) -> Response:
    async with read_posted(request, FormLimits(file=platform_of(request).settings.file_limit)) as posted:
        if guards and request.state.principal is None:
            return sign_in_required(request, posted)
        if not verify_csrf_token(request, posted.csrf):
            return resume_page(request, request.url.path, posted.kept())
        request.state.posted, request.state.form_key = posted, posted.key
        return await handle(request)


def _check_roles(request: Request, guards: Sequence[SignedIn]) -> None:
    for guard in guards:
        require_role(request, request.state.principal, guard.roles)


def sign_in_required(request: Request, posted: PostedForm | None = None) -> Response:
    """The sign-in page that keeps what was typed until its owner is back, or says that it was not read."""
    kept = posted.kept() if posted else ()
    facts = {"onward": request.url.path, "kept": kept, "ended": True, "unread": posted is None}
    return shared_templates(request, "sign_in.html", 401, posted=PostedForm(), **facts)


def resume_page(request: Request, path: str, kept: Sequence[tuple[str, str]]) -> Response:
    """Gives back what was typed, to be looked at once more before anything is done with it."""
    return shared_templates(request, "resume.html", path=path, kept=kept)


def posted_form(request: Request) -> PostedForm:
    return cast(PostedForm, request.state.posted)


class Form(Protocol):
    """A page with a form: how it is shown, empty or with what was typed, and what happens when it is sent."""

    async def show(self, request: Request, posted: PostedForm) -> Response:
        """Raises Problem, for a page that is not there."""

    async def act(self, request: Request, posted: PostedForm) -> Response:
        """Raises Problem or anything that is answered as one; then the form is shown again with the reason."""


def add_form(routes: APIRouter, path: str, form: Form, guard: SignedIn | Public) -> None:
    """The page at `path` of these routes, to look at and to send. What `path` holds is in `request.path_params`."""

    async def get_page(request: Request) -> Response:
        return await form.show(request, PostedForm(key=platform_of(request).new_id()))

    routes.add_api_route(path, get_page, methods=["GET"], dependencies=[Depends(guard)], response_model=None)
    add_action(routes, path, form, guard)


def add_action(routes: APIRouter, path: str, form: Form, guard: SignedIn | Public) -> None:
    """The same for a form that stands on another page: it is only sent."""

    async def submit(request: Request) -> Response:
        return await _submit(request, partial(form.show, request), partial(form.act, request))

    routes.add_api_route(path, submit, methods=["POST"], dependencies=[Depends(guard)], response_model=None)


FormHandler = Callable[[PostedForm], Awaitable[Response]]


async def _submit(request: Request, show: FormHandler, act: FormHandler) -> Response:
    """Act on the form of this call; on a handled error show it again with the reason."""
    posted = posted_form(request)
    if not posted.key:
        posted = replace(posted, key=platform_of(request).new_id())
    if posted.resumed:
        return await show(posted)
    try:
        return await act(posted)
    except IdempotencyKeyReused:
        # Sending the form again after this message is a deliberate second command, which needs a key of its own.
        posted = replace(posted, key=platform_of(request).new_id())
        return await _redisplay(show, posted, Problem(409, shared_templates.words.sent_before))
    except HANDLED_EXCEPTIONS as error:
        return await _redisplay(show, posted, problem_from(error))


async def _redisplay(show: FormHandler, posted: PostedForm, problem: Problem) -> Response:
    """The form with the reason, under the status of the reason; a form that may not be seen is answered by the reason alone."""
    if problem.status_code in (403, 404):
        raise problem
    response = await show(posted.with_problem(problem))
    response.status_code = problem.status_code
    response.headers.update(problem.headers or {})
    return response


class FormPage(Protocol):
    """A page with a form, made for one call: a class whose constructor takes FastAPI dependencies."""

    async def show(self, posted: PostedForm) -> Response:
        """Render the form, empty or with what was typed. Raises Problem for a page that does not exist."""

    async def submit(self, posted: PostedForm) -> Response:
        """Act on the form. Raises Problem or another handled exception; the form is then shown again with the reason."""


def add_form_page(router: APIRouter, path: str, page: Callable[..., FormPage], guard: SignedIn | Public) -> None:
    """Add GET and POST of a page with a form. `page` is resolved as a dependency."""

    form_page = Depends(page)

    async def get_page(request: Request, form: FormPage = form_page) -> Response:
        return await form.show(PostedForm(key=platform_of(request).new_id()))

    async def submit(request: Request, form: FormPage = form_page) -> Response:
        return await _submit(request, form.show, form.submit)

    router.add_api_route(path, get_page, methods=["GET"], dependencies=[Depends(guard)], response_model=None)
    router.add_api_route(path, submit, methods=["POST"], dependencies=[Depends(guard)], response_model=None)


def see_other(path: str) -> RedirectResponse:
    """After something was done: the page where it shows, so that a reload does nothing again."""
    return RedirectResponse(path, 303)
