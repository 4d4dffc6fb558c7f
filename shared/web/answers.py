"""How a refusal is answered: as a problem document to programs, as a page to people."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shared.documents import port as documents
from shared.runtime.execution import KeyReused
from shared.storage import port as storage
from shared.web.problems import Problem, problem_of
from shared.web.rendering import shared_pages

FOR_PROGRAMS = re.compile(r"/(?:api|static|health|metrics)(?:/.*)?")

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
        return answer_to(request.scope, problem_of(error))

    for kind in KNOWN:
        app.add_exception_handler(kind, answer)
