"""The pages of staff accounts, for administrators. A password that is made here is shown on one answer and never again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Account, Role
from shared.identity.passwords import format_password
from shared.identity.service import Principal
from shared.identity.signing import hex_signature
from shared.mail.address_validation import validate_email_address
from shared.text.cleaning import clean_email, remove_invisible
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import Problem
from shared.web.api.validation import REQUIRED_MESSAGE
from shared.web.auth.access import signed_in
from shared.web.auth.current_password import session_expired
from shared.web.auth.sessions import Password, UnstrippedBody, set_session_cookie
from shared.web.auth.staff_accounts import (
    ACCOUNT_NOT_FOUND,
    EmailAddress,
    NewStaff,
    PersonName,
    Roles,
    StaffUpdate,
    add_account,
    change_account,
    invalid_fields,
    require_valid,
    validate_person_name,
    validate_username,
)
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.page_routes import PageRoute, add_form, see_other

_page = AdminTemplates("shared.web.auth")

ACCOUNTS = "/akun"
ADDED, CHANGED = "ditambah", "diubah"

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


class StaffForm(UnstrippedBody):
    """An account as its form has it: everything at once, but for a password that stays as it is."""

    name: PersonName
    email: EmailAddress
    roles: Roles
    active: bool = Field(strict=True)
    password: Password | None = None


def pages() -> APIRouter:
    """Routes under /akun."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(ACCOUNTS)
    async def accounts(request: Request, admin: Admin) -> Response:
        kept = await platform_of(request).accounts.accounts()
        return await _page(request, "accounts.html", accounts=kept, done=_done(request, kept))

    add_form(routes, f"{ACCOUNTS}/baru", NewAccountForm(), signed_in(Role.ADMIN))
    add_form(routes, f"{ACCOUNTS}/{{username}}", EditAccountForm(), signed_in(Role.ADMIN))
    return routes


def _done(request: Request, accounts: Iterable[Account]) -> tuple[str, str] | None:
    """What was done to which account, if the address tells of one that there is."""
    for what in (ADDED, CHANGED):
        name = request.query_params.get(what, "")
        if any(account.username == name for account in accounts):
            return what, name
    return None


class NewAccountForm:
    async def show(self, request: Request, posted: PostedForm) -> Response:
        return await _page(request, "account.html", posted=posted, account=None, own=False, roles=_roles())

    async def act(self, request: Request, posted: PostedForm) -> Response:
        _validate_fields(posted, "username", "name", "email", "roles")
        generated = "" if posted.text("password").strip() else _generated_password(request, posted)
        new = posted.validate(NewStaff, **({"password": generated} if generated else {}))
        account = await add_account(request, request.state.principal, new, posted.key)
        return await _respond(request, account, ADDED, generated)


class EditAccountForm:
    async def show(self, request: Request, posted: PostedForm) -> Response:
        account = await platform_of(request).accounts.account(request.path_params["username"])
        if account is None:
            raise Problem(404, ACCOUNT_NOT_FOUND)
        own = account.username == request.state.principal.username
        return await _page(request, "account.html", posted=posted, account=account, own=own, roles=_roles())

    async def act(self, request: Request, posted: PostedForm) -> Response:
        _validate_fields(posted, "name", "email", "roles")
        form = posted.validate(StaffForm, "make", active=bool(posted.text("active")))
        generated = _generated_password(request, posted) if posted.text("make") else ""
        if generated and form.password:
            raise invalid_fields(password=_page.words.account.password_twice)
        change = StaffUpdate(**{**form.model_dump(), **({"password": generated} if generated else {})})
        username = request.path_params["username"]
        if username == request.state.principal.username:
            return await self._change_own(request, change)
        account = await change_account(request, request.state.principal, username, change)
        return await _respond(request, account, CHANGED, generated)

    async def _change_own(self, request: Request, change: StaffUpdate) -> Response:
        """Whoever changes the own account stays signed in; the own password asks for the present one, on another page."""
        if change.password:
            raise invalid_fields(password=_page.words.account.password_own)
        principal: Principal = request.state.principal
        identity = platform_of(request).identity
        found = await identity.store.session(principal.token_hash)
        account = await change_account(request, principal, principal.username, change)
        answer = await _respond(request, account, CHANGED, "")
        if found is not None:
            session = await identity.replace_session(found[0], account)
            if session is None:
                raise session_expired()
            set_session_cookie(request, answer, session[0])
        return answer


_VALIDATORS: Mapping[str, Callable[[str], str | None]] = {
    "username": lambda text: validate_username(remove_invisible(text)),
    "name": validate_person_name,
    "email": lambda text: validate_email_address(clean_email(text)),
}


def _validate_fields(posted: PostedForm, *fields: str) -> None:
    """All that is missing or wrong at once, before what only the store can know. Raises Problem 422."""
    errors: dict[str, str | None] = {}
    for field in fields:
        text, validate = posted.text(field), _VALIDATORS.get(field)
        if not text.strip():
            errors[field] = REQUIRED_MESSAGE
        elif validate:
            errors[field] = validate(text)
    require_valid(**errors)


def _roles() -> list[tuple[str, str, str]]:
    about = _page.words.roles
    return [(role.value, ROLE_LABELS[role], about[role.value]) for role in Role]


def _generated_password(request: Request, posted: PostedForm) -> str:
    """The same for a form that is sent twice, so that the one that is shown is the one that counts; for nobody else."""
    principal: Principal = request.state.principal
    return format_password(hex_signature(platform_of(request).signer, f"password:{principal.token_hash}\n{posted.key}"))


async def _respond(request: Request, account: Account, what: str, generated: str) -> Response:
    if not generated:
        return see_other(f"{ACCOUNTS}?{what}={account.username}")
    answer: Response = await _page(request, "generated_password.html", account=account, password=generated, what=what)
    answer.headers["Cache-Control"] = "no-store"
    return answer
