"""Staff accounts, for the API and for pages: request bodies, validation and error messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import Request
from pydantic import Field

from shared.identity.account_names import (
    MAX_NAME_LENGTH,
    MAX_USERNAME_LENGTH,
    USERNAME,
    validate_person_name,
    validate_username,
)
from shared.identity.accounts import Account, ConcurrentModification, IdempotencyKey, LastAdmin, Role, UsernameTaken
from shared.identity.passwords import WeakPassword
from shared.identity.principal import Principal
from shared.identity.service import AccountNotFound
from shared.mail.address_validation import EMAIL_SCHEMA, validate_email_address
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.current_password import (
    NOT_OWN_ACCOUNT,
    password_errors_as_problems,
    password_pair_errors,
    session_expired,
)
from shared.web.auth.sessions import Password, UnstrippedBody, rate_limit_network
from shared.web.auth.successors import Handover, plan_handover
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import CLEAN_EMAIL, CLEAN_LINE, STRIP_INVISIBLE

ACCOUNT_NOT_FOUND = "Akun ini tidak ada."

Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
Username = Annotated[
    str,
    STRIP_INVISIBLE,
    Field(json_schema_extra={"pattern": f"^{USERNAME.pattern}$", "minLength": 3, "maxLength": MAX_USERNAME_LENGTH}),
]
PersonName = Annotated[str, CLEAN_LINE, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_NAME_LENGTH})]
Successor = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), STRIP_INVISIBLE]
EmailAddress = Annotated[str, CLEAN_EMAIL, Field(json_schema_extra=EMAIL_SCHEMA)]


class NewStaff(UnstrippedBody):
    username: Username
    name: PersonName
    email: EmailAddress
    roles: Roles
    password: Password


class StaffUpdate(UnstrippedBody):
    """Missing and null fields stay unchanged; a new `password` for the own account needs the `current_password`.

    `successor` is the username of the one who takes over the open work of a person who is deactivated or loses a role; without one,
    `release_claims` leaves requests that only wait for an officer to all officers.
    """

    name: PersonName | None = None
    email: EmailAddress | None = None
    roles: Roles | None = None
    active: bool | None = Field(None, strict=True)
    password: Password | None = None
    current_password: Password | None = None
    successor: Successor | None = None
    release_claims: bool = Field(False, strict=True)


async def add_account(request: Request, admin: Principal, new: NewStaff, key: str) -> Account:
    """Add an account; a repeated key returns the account that was added first.

    Raises: Problem 409, 422; IdempotencyKeyReused.
    """
    require_valid(
        username=validate_username(new.username),
        name=validate_person_name(new.name),
        email=validate_email_address(new.email),
    )
    password = new.password.get_secret_value()
    try:
        return await platform_of(request).identity.add_staff(
            new.username,
            new.name.strip(),
            new.email,
            _without_duplicates(new.roles),
            password,
            by=admin.username,
            idempotency_key=_idempotency_key(admin, key, new),
        )
    except WeakPassword as error:
        raise invalid_fields(password=str(error)) from error
    except UsernameTaken as error:
        raise _conflict("username", f"Nama pengguna {new.username} sudah dipakai. Pilih nama yang lain.") from error


async def change_account(
    request: Request, admin: Principal, username: str, change: StaffUpdate, *, expected: Account | None = None
) -> Account:
    """Change an account and return it.

    Raises: Problem 404, 409, 422; for the own account also 401, 429; ConcurrentModification if another's stored account is not
    the `expected` one.
    """
    own = username.strip().lower() == admin.username
    require_valid(
        name=validate_person_name(change.name) if change.name is not None else None,
        email=validate_email_address(change.email) if change.email is not None else None,
        **_password_errors(change, own),
    )
    if own and change.active is False:
        raise _conflict(
            "active", "Anda tidak dapat menonaktifkan akun Anda sendiri. Mintalah kepada Administrator lain."
        )
    if own:
        expected = await _confirm_own_password(request, admin, change)
    handover = await _plan_handover(request, username, change)
    try:
        changed = await _change(request, admin, username, change, expected)
    except ConcurrentModification as error:
        if own:
            raise session_expired() from error
        raise
    if handover is not None:
        # After the change nobody can give this person new work; if it fails half-way, a repeat hands over the rest.
        await handover.execute(admin)
    return changed


async def _plan_handover(request: Request, username: str, change: StaffUpdate) -> Handover | None:
    """Return the handover of the work that a change leaves behind, None if it cannot leave any. Raises Problem 409, 422."""
    former = await platform_of(request).identity.store.account(username.strip().lower())
    if former is None or (change.active is None and change.roles is None):
        return None
    roles = former.roles if change.roles is None else tuple(change.roles)
    lost = [role for role in Role if role not in roles or change.active is False]
    return await plan_handover(request, former, lost, change.successor, release=change.release_claims)


async def _change(
    request: Request, admin: Principal, username: str, change: StaffUpdate, expected: Account | None
) -> Account:
    """Raises Problem 404, 409, 422; ConcurrentModification."""
    try:
        return await platform_of(request).identity.change_staff(
            username,
            name=change.name.strip() if change.name is not None else None,
            email=change.email,
            roles=_without_duplicates(change.roles) if change.roles is not None else None,
            active=change.active,
            password=change.password.get_secret_value() if change.password is not None else None,
            by=admin.username,
            expected=expected,
        )
    except AccountNotFound as error:
        raise Problem(404, ACCOUNT_NOT_FOUND) from error
    except WeakPassword as error:
        raise invalid_fields(password=str(error)) from error
    except LastAdmin as error:
        field = "active" if change.active is False else "roles"
        sentence = "Ini Administrator aktif yang terakhir. Tunjuk Administrator lain lebih dahulu."
        raise _conflict(field, sentence) from error


def _password_errors(change: StaffUpdate, own: bool) -> dict[str, str | None]:
    if own:
        return password_pair_errors(change.password, change.current_password)
    return {"current_password": NOT_OWN_ACCOUNT if change.current_password else None}


async def _confirm_own_password(request: Request, admin: Principal, change: StaffUpdate) -> Account:
    """Return the own account that the session is bound to; for a new password verify the current one."""
    identity = platform_of(request).identity
    found = await identity.store.session(admin.token_hash)
    if found is None:
        raise session_expired()
    if change.password is not None and change.current_password is not None:
        with password_errors_as_problems():
            current_password = change.current_password.get_secret_value()
            await identity.confirm_password(found[1], current_password, rate_limit_network(request))
    return found[1]


def require_valid(**errors: str | None) -> None:
    """Raise Problem 422 if any field has an error."""
    messages = {field: error for field, error in errors.items() if error is not None}
    if messages:
        raise invalid_fields(**messages)


def invalid_fields(**fields: str) -> Problem:
    return validation_problem(FieldError(field, message) for field, message in fields.items())


def _conflict(field: str, sentence: str) -> Problem:
    return Problem(409, sentence, errors=[FieldError(field, sentence)])


def _without_duplicates(roles: Sequence[Role]) -> tuple[Role, ...]:
    return tuple(dict.fromkeys(roles))


def _idempotency_key(admin: Principal, key: str, new: NewStaff) -> IdempotencyKey | None:
    """Return the key of this call; the digest leaves out the password, of which no fast hash may be stored."""
    if not key:
        return None
    content = json.dumps(new.model_dump(mode="json", exclude={"password"}), sort_keys=True)
    return IdempotencyKey(_digest(f"{admin.username} {key}"), _digest(content))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
