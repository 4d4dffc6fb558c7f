"""Exception handlers: a problem document for API clients, an HTML page for browsers."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from shared.documents import port as documents
from shared.runtime.executor import IdempotencyKeyReused
from shared.storage import port as storage
from shared.web.api.problems import Problem, problem_from
from shared.web.http.methods import allowed_methods
from shared.web.views.rendering import shared_templates

TRAILING_SLASH_PATH = re.compile(r"/[a-z][A-Za-z0-9._:/-]*/")
"""Paths of pages with a trailing slash. The pattern excludes `//host`, which a redirect would send to another host."""
MACHINE_PATH = re.compile(r"/(?:api|static|health|metrics)(?:/.*)?", re.DOTALL)

HANDLED_EXCEPTIONS: tuple[type[Exception], ...] = (
    HTTPException,
    RequestValidationError,
    storage.StoreUnavailable,
    documents.StoreUnavailable,
    documents.DocumentMissing,
    documents.DocumentRefused,
    IdempotencyKeyReused,
)
"""Exceptions that handlers raise on purpose; `ErrorMiddleware` answers the others."""


def error_response(scope: Scope, problem: Problem) -> Response:
    """Render the problem as JSON or as a page, depending on the path of the request."""
    if MACHINE_PATH.fullmatch(scope["path"]):
        return problem.response()
    request = Request(scope)
    page = shared_templates(request, "problem.html", problem.status_code, problem=problem)
    page.headers.update(problem.headers or {})
    return page


def add_exception_handlers(app: FastAPI) -> None:
    """Register a handler that answers each of `HANDLED_EXCEPTIONS` as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        if type(error) is HTTPException and error.status_code == 404 and (path := _path_without_slash(request)):
            return RedirectResponse(path, 308)
        if isinstance(error, HTTPException) and error.status_code == 405:
            return _method_not_allowed(request, error)
        return error_response(request.scope, problem_from(error))

    for exception_type in HANDLED_EXCEPTIONS:
        app.add_exception_handler(exception_type, answer)


def _path_without_slash(request: Request) -> str:
    """The path without its trailing slash if a page may be there, "" otherwise."""
    path = request.url.path
    if request.method not in ("GET", "HEAD") or MACHINE_PATH.fullmatch(path) or not TRAILING_SLASH_PATH.fullmatch(path):
        return ""
    return path.rstrip("/") + (f"?{request.url.query}" if request.url.query else "")


def _method_not_allowed(request: Request, error: HTTPException) -> Response:
    """405, or 204 to OPTIONS, with an `Allow` of all routes of the path; the router names only one route's methods."""
    headers = {"Allow": allowed_methods(request.scope)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    problem = problem_from(error)
    problem.headers = headers
    return error_response(request.scope, problem)
