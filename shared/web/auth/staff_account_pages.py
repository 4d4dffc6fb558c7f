"""The pages of staff accounts, for administrators. A generated password is shown once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.account_names import validate_person_name, validate_username
from shared.identity.accounts import Account, ConcurrentModification, Role
from shared.identity.passwords import format_password
from shared.identity.principal import Principal
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
    Successor,
    add_account,
    change_account,
    invalid_fields,
    require_valid,
)
from shared.web.auth.successors import CODE as OPEN_WORK
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

ACCOUNTS = "/akun"
ADDED, CHANGED = "ditambah", "diubah"
"""Query parameters of the list that name the account that was added or changed."""

NOBODY = "semua"
"""In place of a successor: requests that only wait for an officer are left to all officers. Not a valid username."""

ADMIN = signed_in(Role.ADMIN)
Admin = Annotated[Principal, Depends(ADMIN)]

templates = AdminTemplates("shared.web.auth")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class StaffForm(UnstrippedBody):
    """All fields of an account's form; without a password the stored one stays."""

    name: PersonName
    email: EmailAddress
    roles: Roles
    active: bool = Field(strict=True)
    password: Password | None = None
    successor: Successor | None = None


@router.get(ACCOUNTS, dependencies=[Depends(ADMIN)])
async def list_accounts(request: Request) -> Response:
    accounts = await platform_of(request).accounts.accounts()
    return await templates(request, "accounts.html", accounts=accounts, done=_confirmation(request, accounts))


def _confirmation(request: Request, accounts: Iterable[Account]) -> tuple[str, str] | None:
    """Return what was done to which existing account, if the URL says so."""
    for action in (ADDED, CHANGED):
        username = request.query_params.get(action, "")
        if any(account.username == username for account in accounts):
            return action, username
    return None


class NewAccountPage:
    """The form that adds an account."""

    def __init__(self, request: Request, admin: Admin) -> None:
        self._request, self._admin = request, admin

    async def show(self, posted: PostedForm) -> Response:
        return await templates(
            self._request,
            "account.html",
            posted=posted,
            account=None,
            own=False,
            roles=_role_options(),
            open_work=(),
        )

    async def submit(self, posted: PostedForm) -> Response:
        _validate_fields(posted, "username", "name", "email", "roles")
        generated = "" if posted.text("password").strip() else _generate_password(self._request, self._admin, posted)
        new = posted.validate(NewStaff, **({"password": generated} if generated else {}))
        account = await add_account(self._request, self._admin, new, posted.key)
        return await _respond(self._request, account, ADDED, generated)


class EditAccountPage:
    """The form that changes an account."""

    def __init__(self, request: Request, username: str, admin: Admin) -> None:
        self._request = request
        self._username = username
        self._admin = admin

    async def show(self, posted: PostedForm) -> Response:
        account = await platform_of(self._request).accounts.account(self._username)
        if account is None:
            raise Problem(404, ACCOUNT_NOT_FOUND)
        left_behind = posted.problem.extra if posted.problem else {}
        return await templates(
            self._request,
            "account.html",
            posted=posted,
            account=account,
            version=posted.text("version", _version(account)),
            own=account.username == self._admin.username,
            roles=_role_options(),
            open_work=left_behind.get(OPEN_WORK, ()),
            successors=await self._successors(account, left_behind),
        )

    async def _successors(self, account: Account, left_behind: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return who can take over the open work that the change would leave behind."""
        needs_successor = left_behind.get("needs_successor", True)
        role = Role.TECHNICAL if needs_successor else Role.OFFICER
        people = await platform_of(self._request).accounts.accounts_with_role(role)
        options = [(person.username, person.name) for person in people if person.username != account.username]
        return options if needs_successor else [(NOBODY, templates.words.successor.nobody), *options]

    async def submit(self, posted: PostedForm) -> Response:
        _validate_fields(posted, "name", "email", "roles")
        form = posted.validate(StaffForm, "make", "version", active=bool(posted.text("active")))
        shown = await self._account_of_version(posted.text("version"), form)
        generated = _generate_password(self._request, self._admin, posted) if posted.text("make") else ""
        if generated and form.password:
            raise invalid_fields(password=templates.words.account.password_twice)
        values = {**form.model_dump(), **({"password": generated} if generated else {})}
        released = form.successor == NOBODY
        update = StaffUpdate(**{**values, "successor": None if released else form.successor}, release_claims=released)
        if self._username == self._admin.username:
            return await self._change_own(update)
        try:
            account = await change_account(self._request, self._admin, self._username, update, expected=shown)
        except ConcurrentModification as error:
            raise Problem(409, templates.words.account.conflict) from error
        return await _respond(self._request, account, CHANGED, generated)

    async def _account_of_version(self, version: str, form: StaffForm) -> Account | None:
        """Return the stored account, None if there is none or the form has no version.

        A form that was filled in on another version is refused with Problem 409, unless the account is as the form wants it.
        """
        account = await platform_of(self._request).accounts.account(self._username)
        if not version or account is None:
            return None
        if _version(account) not in (version, _version(form)):
            raise Problem(409, templates.words.account.conflict)
        return account

    async def _change_own(self, update: StaffUpdate) -> Response:
        """Change the administrator's own account and keep them signed in; their password is changed on their own page."""
        if update.password:
            raise invalid_fields(password=templates.words.account.password_own)
        identity = platform_of(self._request).identity
        found = await identity.store.session(self._admin.token_hash)
        account = await change_account(self._request, self._admin, self._admin.username, update)
        response = await _respond(self._request, account, CHANGED, "")
        if found is not None:
            session = await identity.replace_session(found[0], account)
            if session is None:
                raise session_expired()
            set_session_cookie(self._request, response, session[0])
        return response


_VALIDATORS: Mapping[str, Callable[[str], str | None]] = {
    "username": lambda text: validate_username(remove_invisible(text)),
    "name": validate_person_name,
    "email": lambda text: validate_email_address(clean_email(text)),
}


def _validate_fields(posted: PostedForm, *fields: str) -> None:
    """Report all missing or invalid fields at once, before the checks that need the store. Raises: Problem 422."""
    errors: dict[str, str | None] = {}
    for field in fields:
        text, validate = posted.text(field), _VALIDATORS.get(field)
        if not text.strip():
            errors[field] = REQUIRED_MESSAGE
        elif validate:
            errors[field] = validate(text)
    require_valid(**errors)


def _version(account: Account | StaffForm) -> str:
    """Return a digest of the fields that the form shows."""
    shown = (account.name, account.email, sorted(account.roles), account.active)
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _role_options() -> list[tuple[str, str, str]]:
    descriptions = templates.words.roles
    return [(role.value, ROLE_LABELS[role], descriptions[role.value]) for role in Role]


def _generate_password(request: Request, admin: Principal, posted: PostedForm) -> str:
    """Derive a password from session and form, so that a form that is sent twice shows the password that was stored."""
    return format_password(hex_signature(platform_of(request).signer, f"password:{admin.token_hash}\n{posted.key}"))


async def _respond(request: Request, account: Account, action: str, generated: str) -> Response:
    if not generated:
        return see_other(f"{ACCOUNTS}?{action}={account.username}")
    response: Response = await templates(
        request, "generated_password.html", account=account, password=generated, action=action
    )
    response.headers["Cache-Control"] = "no-store"
    return response


add_form_page(router, f"{ACCOUNTS}/baru", NewAccountPage, ADMIN)
add_form_page(router, f"{ACCOUNTS}/{{username}}", EditAccountPage, ADMIN)
