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
from shared.runtime.execution import KeyReused
from shared.storage import port as storage
from shared.web.methods import allowed_methods
from shared.web.problems import Problem, problem_of
from shared.web.rendering import shared_pages

WITH_A_SLASH = re.compile(r"/[a-z][A-Za-z0-9._:/-]*/")
"""Addresses of pages as they are typed or linked with a slash at the end; never one that leads to another host."""
FOR_PROGRAMS = re.compile(r"/(?:api|static|health|metrics)(?:/.*)?", re.DOTALL)

KNOWN: tuple[type[Exception], ...] = (
    HTTPException,
    RequestValidationError,
    storage.StoreUnavailable,
    documents.StoreUnavailable,
    documents.DocumentMissing,
    documents.DocumentRefused,
    KeyReused,
)
"""What handlers raise knowingly; the rest is the matter of `middleware.Faults`."""


def answer_to(scope: Scope, problem: Problem) -> Response:
    """The problem in the shape that fits the path that was asked for."""
    if FOR_PROGRAMS.fullmatch(scope["path"]):
        return problem.response()
    request = Request(scope)
    page = shared_pages(request, "problem.html", problem.status_code, problem=problem)
    page.headers.update(problem.headers or {})
    return page


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every known exception as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        if type(error) is HTTPException and error.status_code == 404 and (path := _without_slash(request)):
            return RedirectResponse(path, 308)
        if isinstance(error, HTTPException) and error.status_code == 405:
            return _no_such_method(request, error)
        return answer_to(request.scope, problem_of(error))

    for kind in KNOWN:
        app.add_exception_handler(kind, answer)


def _without_slash(request: Request) -> str:
    """Where the page may be that no route has found, "" if nowhere else."""
    path = request.url.path
    if request.method not in ("GET", "HEAD") or FOR_PROGRAMS.fullmatch(path) or not WITH_A_SLASH.fullmatch(path):
        return ""
    return path.rstrip("/") + (f"?{request.url.query}" if request.url.query else "")


def _no_such_method(request: Request, error: HTTPException) -> Response:
    """405 to a method that the path does not take, 204 to OPTIONS, both with all that it takes: the router names one route's."""
    headers = {"Allow": allowed_methods(request.scope)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    problem = problem_of(error)
    problem.headers = headers
    return answer_to(request.scope, problem)
