"""One command on many requests: each succeeds or is refused on its own, and each outcome is reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

from shared.runtime.executor import Executor
from shared.web.api.problems import Problem
from shared.web.api.validation import RequestBody
from shared.web.forms.text_fields import STRIP_INVISIBLE

MAX_BULK = 100

RequestId = Annotated[str, Field(min_length=1, max_length=64), STRIP_INVISIBLE]


class BulkBody(RequestBody):
    """Requests by id; a repeated id counts once."""

    ids: Annotated[tuple[RequestId, ...], Field(min_length=1, max_length=MAX_BULK)]

    @field_validator("ids")
    @classmethod
    def _drop_repeated_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ids))


class BulkResult(BaseModel):
    """The outcome for one request: `code` is the HTTP status that the call for it alone has, `detail` why it was refused.

    `number`, `status` and `version` are those after the call; blank and 0 for an unknown request.
    """

    id: str
    ok: bool
    code: int
    number: str
    status: str
    version: int
    detail: str


class BulkResponse(BaseModel):
    """The outcome for each request, in the order of the ids."""

    results: list[BulkResult]


async def run_bulk(
    ids: Iterable[str], execute: Callable[[str], Awaitable[Mapping[str, Any]]], executor: Executor[Any]
) -> list[BulkResult]:
    """Execute a command on each request, one after the other; a refusal does not stop the others, an outage does."""
    return [await _run_one(request_id, execute, executor) for request_id in ids]


async def _run_one(
    request_id: str, execute: Callable[[str], Awaitable[Mapping[str, Any]]], executor: Executor[Any]
) -> BulkResult:
    code, detail = 200, ""
    try:
        await execute(request_id)
    except Problem as problem:
        if problem.status_code >= 500:
            raise
        errors = [error.message for error in problem.errors]
        code, detail = problem.status_code, "; ".join(errors) or str(problem.detail)
    loaded = await executor.read(request_id)
    state = loaded.state if loaded else None
    return BulkResult(
        id=request_id,
        ok=code == 200,
        code=code,
        number=executor.decider.number(state) if state else "",
        status=executor.decider.status(state) if state else "",
        version=loaded.version if loaded else 0,
        detail=detail,
    )
