"""How a refusal is answered: as a problem document to programs, as a page to people."""

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
"""Addresses of pages as they are typed or linked with a slash at the end; never one that leads to another host."""
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
"""What handlers raise knowingly; the rest is the matter of `middleware.Faults`."""


def error_response(scope: Scope, problem: Problem) -> Response:
    """The problem in the shape that fits the path that was asked for."""
    if MACHINE_PATH.fullmatch(scope["path"]):
        return problem.response()
    request = Request(scope)
    page = shared_templates(request, "problem.html", problem.status_code, problem=problem)
    page.headers.update(problem.headers or {})
    return page


def add_exception_handlers(app: FastAPI) -> None:
    """Answer every known exception as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        if type(error) is HTTPException and error.status_code == 404 and (path := _path_without_slash(request)):
            return RedirectResponse(path, 308)
        if isinstance(error, HTTPException) and error.status_code == 405:
            return _method_not_allowed(request, error)
        return error_response(request.scope, problem_from(error))

    for exception_type in HANDLED_EXCEPTIONS:
        app.add_exception_handler(exception_type, answer)


def _path_without_slash(request: Request) -> str:
    """Where the page may be that no route has found, "" if nowhere else."""
    path = request.url.path
    if request.method not in ("GET", "HEAD") or MACHINE_PATH.fullmatch(path) or not TRAILING_SLASH_PATH.fullmatch(path):
        return ""
    return path.rstrip("/") + (f"?{request.url.query}" if request.url.query else "")


def _method_not_allowed(request: Request, error: HTTPException) -> Response:
    """405 to a method that the path does not take, 204 to OPTIONS, both with all that it takes: the router names one route's."""
    headers = {"Allow": allowed_methods(request.scope)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    problem = problem_from(error)
    problem.headers = headers
    return error_response(request.scope, problem)
