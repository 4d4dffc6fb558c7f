"""Substitutes (Plh, Plt) over HTTP: bodies, responses and messages of refusals."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from shared.calendar import today
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.identity.substitutes import Substitution, SubstitutionKind, SubstitutionRefused
from shared.web.api.idempotency import CommandContext, command_context
from shared.web.api.lists import PageResponse
from shared.web.api.openapi import EMPTY_RESPONSES
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.request_lists import Day
from shared.web.api.validation import FieldError, RequestBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import STRIP_INVISIBLE
from shared.web.views.formats import format_date
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.words import load_words

PATH = "/api/substitutes"
HEADS_AND_ADMINS = signed_in(Role.STRUCTURAL, Role.ADMIN)
HeadOrAdmin = Annotated[Principal, Depends(HEADS_AND_ADMINS)]
Context = Annotated[CommandContext, Depends(command_context)]
Username = Annotated[str, Field(min_length=1, max_length=100), STRIP_INVISIBLE]

TEXTS = load_words("shared.web.office").substitutes


class SubstituteBody(RequestBody):
    """`substitute` stands in for the person `username` or for the holders of `role`, from the first to the last day."""

    substitute: Username
    username: Username | None = None
    role: Role | None = None
    kind: SubstitutionKind = SubstitutionKind.PLH
    first_day: Day = Field(alias="from")
    last_day: Day = Field(alias="until")


class SubstituteResponse(BaseModel):
    """`name` is that of the person or role that is replaced; `active` says whether today is one of the days."""

    id: str
    kind: SubstitutionKind
    substitute: str
    substitute_name: str
    username: str | None
    role: Role | None
    name: str
    first_day: date = Field(serialization_alias="from")
    last_day: date = Field(serialization_alias="until")
    active: bool
    by: str


class SubstitutesResponse(PageResponse[SubstituteResponse]):
    """The substitutes of today and of coming days; the list has one page."""


async def list_substitutes(request: Request) -> list[SubstituteResponse]:
    """Return the substitutes that have not ended, by their first day."""
    platform = platform_of(request)
    names = {account.username: account.name for account in await platform.accounts.accounts()}
    return [
        _response(substitution, names, today(platform.clock()))
        for substitution in await platform.substitutes.substitutions()
    ]


async def add_substitute(
    request: Request, editor: Principal, body: SubstituteBody, context: CommandContext
) -> SubstituteResponse:
    """Record a substitute. Raises Problem 403 for a substitute as the editor, 409 for days that are taken, 422."""
    if editor.capacity is not None:
        raise Problem(403, TEXTS.no_chain)
    platform = platform_of(request)
    substitution = Substitution(
        id=context.command_key(editor.username, "").id,
        kind=body.kind,
        substitute=body.substitute.lower(),
        username=(body.username or "").lower(),
        role=body.role,
        first_day=body.first_day,
        last_day=body.last_day,
        by=editor.username,
        label=ROLE_LABELS[body.role] if body.role else "",
    )
    try:
        added = await platform.substitutes.add(substitution)
    except SubstitutionRefused as refused:
        raise _problem(refused) from refused
    names = {account.username: account.name for account in await platform.accounts.accounts()}
    return _response(added, names, today(platform.clock()))


async def end_substitute(request: Request, editor: Principal, substitution_id: str) -> None:
    """End a substitution at once. Raises Problem 404."""
    if not await platform_of(request).substitutes.remove(substitution_id, editor.username):
        raise Problem(404, TEXTS.missing)


def _problem(refused: SubstitutionRefused) -> Problem:
    params = {name: format_date(value) if isinstance(value, date) else value for name, value in refused.params.items()}
    error = FieldError(refused.field, TEXTS.refusals[refused.code].format(**params))
    if refused.code == "overlapping":
        return Problem(409, error.message, errors=[error], code=refused.code)
    return validation_problem([error])


def _response(substitution: Substitution, names: dict[str, str], day: date) -> SubstituteResponse:
    return SubstituteResponse(
        id=substitution.id,
        kind=substitution.kind,
        substitute=substitution.substitute,
        substitute_name=names.get(substitution.substitute, substitution.substitute),
        username=substitution.username or None,
        role=substitution.role,
        name=substitution.label or names.get(substitution.username, substitution.username),
        first_day=substitution.first_day,
        last_day=substitution.last_day,
        active=substitution.is_active(day),
        by=substitution.by,
    )


router = APIRouter(route_class=GuardedRoute, tags=["office"])


@router.get(PATH, response_model=SubstitutesResponse, dependencies=[Depends(HEADS_AND_ADMINS)])
async def list_all(request: Request) -> dict[str, Any]:
    """List the substitutes of today and of coming days."""
    return {"items": await list_substitutes(request), "next": None, "previous": None}


@router.post(PATH, status_code=201, response_model=SubstituteResponse)
async def add(body: SubstituteBody, editor: HeadOrAdmin, request: Request, context: Context) -> SubstituteResponse:
    """Let somebody stand in for a person or a role, with the rights of it on these days."""
    return await add_substitute(request, editor, body, context)


@router.delete(
    PATH + "/{substitute_id}",
    response_model=None,
    responses=EMPTY_RESPONSES,
)
async def end(substitute_id: str, editor: HeadOrAdmin, request: Request) -> dict[str, Any]:
    """End a substitution at once."""
    await end_substitute(request, editor, substitute_id)
    return {}
