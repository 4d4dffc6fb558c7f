"""Routes of HTML pages.

A user without a session is sent to the sign-in page and gets back what was typed; a form is only accepted with a CSRF token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.identity.principal import Principal
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api.problems import Problem, problem_from
from shared.web.auth.access import (
    SAFE_METHODS,
    Public,
    SignedIn,
    pre_body_dependencies,
    require_same_origin,
    session_cookie,
    staff_guards,
)
from shared.web.auth.csrf import verify_csrf_token
from shared.web.dependencies import current_principal, platform_of
from shared.web.forms.multipart import FormLimits
from shared.web.forms.posted_form import PostedForm, read_posted
from shared.web.http.body_limit import MAX_JSON_BODY_BYTES
from shared.web.http.exception_handlers import HANDLED_EXCEPTIONS
from shared.web.http.routes import FlatRoute
from shared.web.views.navigation import SIGN_IN
from shared.web.views.rendering import shared_templates

BACKGROUND_POLL_HEADER = "X-Live"
"""Header of requests that a page sends by itself to fetch changes."""

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(FlatRoute):
    """Route of a page; one that does not declare its access cannot be created. Use: `APIRouter(route_class=PageRoute)`."""

    def get_route_handler(self) -> RouteHandler:
        guards, before_body = staff_guards(self), pre_body_dependencies(self)
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            if guards:
                request.state.principal = await _resolve_session(request)
            if request.method in SAFE_METHODS:
                return await _handle_get(request, guards, handle)
            require_same_origin(request)
            if guards and current_principal(request) is None and not _is_small_form(request):
                return sign_in_required(request)
            if not guards or current_principal(request) is not None:
                for guard in guards:
                    await guard(request)
                for require in before_body:
                    await require(request)
            return await _handle_post(request, guards, handle)

        return handle_page


def _is_small_form(request: Request) -> bool:
    """Whether the form of a user who is not signed in is small enough to be read, so that it can be given back.

    A session cookie is no criterion: browsers drop it when the longest session expires.
    """
    declared = request.headers.get("content-length", "")
    return declared.isdigit() and int(declared) <= MAX_JSON_BODY_BYTES


async def _resolve_session(request: Request) -> Principal | None:
    token = session_cookie(request)
    used = BACKGROUND_POLL_HEADER not in request.headers
    return await platform_of(request).identity.authenticate(token, used=used) if token else None


async def _handle_get(request: Request, guards: Sequence[SignedIn], handle: RouteHandler) -> Response:
    if guards and current_principal(request) is None:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'lanjut': request.url.path + query})}", 303)
    for guard in guards:
        await guard(request)
    return await handle(request)


async def _handle_post(request: Request, guards: Sequence[SignedIn], handle: RouteHandler) -> Response:
    async with read_posted(request, FormLimits(file=platform_of(request).settings.file_limit)) as posted:
        if guards and current_principal(request) is None:
            return sign_in_required(request, posted)
        if not verify_csrf_token(request, posted.csrf):
            return resume_page(request, request.url.path, posted.restorable_fields())
        request.state.posted, request.state.form_key = posted, posted.key
        return await handle(request)


def sign_in_required(request: Request, posted: PostedForm | None = None) -> Response:
    """Return the sign-in page; it carries what was typed, or says that the form was not read."""
    return shared_templates(
        request,
        "sign_in.html",
        401,
        posted=PostedForm(),
        next_path=request.url.path,
        saved_fields=posted.restorable_fields() if posted else (),
        session_ended=True,
        form_unread=posted is None,
    )


def resume_page(request: Request, path: str, saved_fields: Sequence[tuple[str, str]]) -> Response:
    """Return a page that sends what was typed back to its form, to be checked and submitted again."""
    return shared_templates(request, "resume.html", path=path, saved_fields=saved_fields)


def posted_form(request: Request) -> PostedForm:
    """A dependency: the form of this request, which PageRoute has read for its CSRF token before dependencies are resolved."""
    return cast(PostedForm, request.state.posted)


class FormPage(Protocol):
    """A page with a form, created for each request: a class whose constructor takes FastAPI dependencies."""

    async def show(self, posted: PostedForm, /) -> Response:
        """Render the form, empty or with what was typed. Raises: Problem for a page that does not exist."""

    async def submit(self, posted: PostedForm, /) -> Response:
        """Act on the form. Raises: Problem or another handled exception; the form is then shown again with the reason."""


def add_form_page(router: APIRouter, path: str, page: Callable[..., FormPage], guard: SignedIn | Public) -> None:
    """Add GET and POST of a page with a form; `page` is resolved as a dependency."""
    form_page = Depends(page)

    async def get_page(request: Request, form: FormPage = form_page) -> Response:
        return await form.show(PostedForm(key=platform_of(request).new_id()))

    router.add_api_route(path, get_page, methods=["GET"], dependencies=[Depends(guard)], response_model=None)
    add_form_action(router, path, page, guard)


def add_form_action(router: APIRouter, path: str, page: Callable[..., FormPage], guard: SignedIn | Public) -> None:
    """Add only POST, for a form that another page contains."""
    form_page = Depends(page)

    async def submit(request: Request, form: FormPage = form_page) -> Response:
        return await _submit(request, form.show, form.submit)

    router.add_api_route(path, submit, methods=["POST"], dependencies=[Depends(guard)], response_model=None)


FormHandler = Callable[[PostedForm], Awaitable[Response]]


async def _submit(request: Request, show: FormHandler, act: FormHandler) -> Response:
    """Act on the form of this request; on a handled error show it again with the reason."""
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
    """Show the form with the reason and its status; a form that the user may not see is answered by the reason alone."""
    if problem.status_code in (403, 404):
        raise problem
    response = await show(posted.with_problem(problem))
    response.status_code = problem.status_code
    response.headers.update(problem.headers or {})
    return response


def see_other(path: str) -> RedirectResponse:
    """Redirect after a form was handled, so that a reload does not send it again."""
    return RedirectResponse(path, 303)
