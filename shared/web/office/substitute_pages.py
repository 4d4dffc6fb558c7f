"""The page on which heads and administrators let somebody stand in for a person or a role."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.identity.accounts import Account
from shared.identity.substitutes import REPLACEABLE_ROLES, SHARED_ROLES, SubstitutionKind
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import REQUIRED_MESSAGE, FieldError
from shared.web.dependencies import platform_of
from shared.web.forms.date_fields import date_error, join_date
from shared.web.forms.posted_form import PostedForm
from shared.web.office.substitutes import (
    HEADS_AND_ADMINS,
    Context,
    HeadOrAdmin,
    SubstituteBody,
    add_substitute,
    end_substitute,
    list_substitutes,
)
from shared.web.views.labels import ROLE_LABELS, roles_label
from shared.web.views.navigation import SUBSTITUTES
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

SAVED, ENDED = "ditetapkan", "diakhiri"
DATES = ("from", "until")
PERSON, ROLE = "orang", "peran"
"""What the value of the choice of whom to replace begins with."""
_FIELDS = {"username": "whom", "role": "whom"}
"""Fields of the API that are one field of the page."""

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class SubstitutesPage:
    """The substitutes of today and of coming days, each with a button that ends it, and the form for another one."""

    def __init__(self, request: Request, editor: HeadOrAdmin, context: Context) -> None:
        self._request = request
        self._editor = editor
        self._context = context

    async def show(self, posted: PostedForm) -> Response:
        accounts = [account for account in await platform_of(self._request).accounts.accounts() if account.active]
        query = self._request.query_params
        names = {account.username: account.name for account in accounts}
        return await templates(
            self._request,
            "substitutes.html",
            posted=posted,
            substitutes=await list_substitutes(self._request),
            kinds=[(kind.value, *templates.words.substitutes[kind.value]) for kind in SubstitutionKind],
            replaceable=_replaceable(accounts),
            people=[(account.username, f"{account.name} ({roles_label(account.roles)})") for account in accounts],
            saved="" if posted.sent else names.get(query.get(SAVED, ""), ""),
            ended=ENDED in query and not posted.sent,
        )

    async def submit(self, posted: PostedForm) -> Response:
        if posted.button == "end":
            await end_substitute(self._request, self._editor, posted.text("id"))
            return see_other(f"{SUBSTITUTES}?{ENDED}")
        joined, errors = posted, []
        for name in DATES:
            if error := date_error(posted, name):
                errors.append(FieldError(name, error))
            joined = join_date(joined, name)
        kind, _, value = posted.text("whom").partition(":")
        if kind not in (PERSON, ROLE):
            errors.append(FieldError("whom", REQUIRED_MESSAGE))
        days = {name: joined.text(name) for name in DATES if joined.text(name)}
        replaced = {"username" if kind == PERSON else "role": value or None}
        try:
            body = joined.validate(SubstituteBody, "whom", *DATES, **replaced, **days)
        except Problem as problem:
            known = {error.field for error in errors}
            errors += [error for error in problem.errors if error.field not in known]
        if errors:
            raise validation_problem(errors)
        try:
            added = await add_substitute(self._request, self._editor, body, self._context)
        except Problem as problem:
            problem.errors = tuple(
                FieldError(_FIELDS.get(error.field, error.field), error.message) for error in problem.errors
            )
            raise
        return see_other(f"{SUBSTITUTES}?{SAVED}={added.substitute}")


def _replaceable(accounts: list[Account]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return whom a substitute may replace: persons and roles, as groups of options."""
    texts: Any = templates.words.substitutes
    people = [
        (f"{PERSON}:{account.username}", f"{account.name} ({roles_label(account.roles)})")
        for account in accounts
        if set(account.roles) & set(REPLACEABLE_ROLES)
    ]
    return [
        (texts.people, people),
        (texts.roles, [(f"{ROLE}:{role.value}", ROLE_LABELS[role]) for role in SHARED_ROLES]),
    ]


add_form_page(router, SUBSTITUTES, SubstitutesPage, HEADS_AND_ADMINS)
