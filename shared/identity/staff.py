"""Staff accounts over HTTP, for programs and pages alike: what may be asked for, and what is wrong with it in sentences."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Request
from pydantic import Field

from shared.identity.accounts import Account, LastAdmin, Order, Outdated, Role, UsernameTaken
from shared.identity.addresses import EMAIL_SCHEMA, valid_address
from shared.identity.identity import Principal, UnknownAccount
from shared.identity.passwords import WeakPassword
from shared.identity.present_password import NOT_OWN, missing_passwords, refusals_answered, session_ended
from shared.identity.sessions import Exact, Password, counted_address
from shared.text_cleaning import ControlCharacter, clean_line
from shared.web.bodies import FieldError
from shared.web.platform_of import platform_of
from shared.web.problems import Problem, invalid
from shared.web.text_fields import EMAIL, INVISIBLE, LINE

_USERNAME = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
LONGEST_USERNAME, LONGEST_NAME = 32, 100
_RESERVED = frozenset({"baru"})
"""Names that are addresses of pages."""

UNKNOWN = "Akun ini tidak ada."

Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
Username = Annotated[
    str,
    INVISIBLE,
    Field(json_schema_extra={"pattern": f"^{_USERNAME.pattern}$", "minLength": 3, "maxLength": LONGEST_USERNAME}),
]
PersonName = Annotated[str, LINE, Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_NAME})]
EmailAddress = Annotated[str, EMAIL, Field(json_schema_extra=EMAIL_SCHEMA)]


class NewStaff(Exact):
    username: Username
    name: PersonName
    email: EmailAddress
    roles: Roles
    password: Password


class ChangedStaff(Exact):
    """What is left out or null stays as it is; a new `password` of one's own needs the present one as `current_password`."""

    name: PersonName | None = None
    email: EmailAddress | None = None
    roles: Roles | None = None
    active: bool | None = None
    password: Password | None = None
    current_password: Password | None = None


def valid_username(text: str) -> str | None:
    """Why this is no username (a sentence for people), None if it is one."""
    if not 3 <= len(text) <= LONGEST_USERNAME:
        return "Nama pengguna terdiri atas 3 sampai 32 karakter."
    if _USERNAME.fullmatch(text) is None:
        return "Nama pengguna memakai huruf kecil, angka, titik, dan tanda hubung, serta dimulai dengan huruf."
    return "Nama pengguna ini dipakai oleh sistem. Pilih nama yang lain." if text in _RESERVED else None


def valid_name(text: str) -> str | None:
    """Why this cannot be shown as a person's name (a sentence for people), None if it can."""
    try:
        cleaned = clean_line(text)
    except ControlCharacter:
        return "Nama tidak boleh memuat ganti baris atau karakter kendali."
    return None if 0 < len(cleaned) <= LONGEST_NAME else "Nama wajib diisi, paling panjang 100 karakter."


async def add_account(request: Request, admin: Principal, new: NewStaff, key: str) -> Account:
    """A new account, of a repeated key the one that it made first. Raises Problem 409 and 422, KeyReused."""
    check(username=valid_username(new.username), name=valid_name(new.name), email=valid_address(new.email))
    password = new.password.get_secret_value()
    try:
        return await platform_of(request).identity.add_staff(
            new.username,
            new.name.strip(),
            new.email,
            _once(new.roles),
            password,
            by=admin.username,
            order=_order(admin, key, new),
        )
    except WeakPassword as error:
        raise wrong(password=str(error)) from error
    except UsernameTaken as error:
        raise _conflict("username", f"Nama pengguna {new.username} sudah dipakai. Pilih nama yang lain.") from error


async def change_account(request: Request, admin: Principal, username: str, change: ChangedStaff) -> Account:
    """The account as it is then. Raises Problem 404, 409 and 422, for one's own account also 401 and 429."""
    own = username.strip().lower() == admin.username
    check(
        name=valid_name(change.name) if change.name is not None else None,
        email=valid_address(change.email) if change.email is not None else None,
        **_password_troubles(change, own),
    )
    if own and change.active is False:
        raise _conflict(
            "active", "Anda tidak dapat menonaktifkan akun Anda sendiri. Mintalah kepada Administrator lain."
        )
    expected = await _proven(request, admin, change) if own else None
    try:
        return await platform_of(request).identity.change_staff(
            username,
            name=change.name.strip() if change.name is not None else None,
            email=change.email,
            roles=_once(change.roles) if change.roles is not None else None,
            active=change.active,
            password=change.password.get_secret_value() if change.password is not None else None,
            by=admin.username,
            expected=expected,
        )
    except Outdated as error:
        raise session_ended() from error
    except UnknownAccount as error:
        raise Problem(404, UNKNOWN) from error
    except WeakPassword as error:
        raise wrong(password=str(error)) from error
    except LastAdmin as error:
        field = "active" if change.active is False else "roles"
        sentence = "Ini Administrator aktif yang terakhir. Tunjuk Administrator lain lebih dahulu."
        raise _conflict(field, sentence) from error


def _password_troubles(change: ChangedStaff, own: bool) -> dict[str, str | None]:
    if own:
        return missing_passwords(change.password, change.current_password)
    return {"current_password": NOT_OWN if change.current_password else None}


async def _proven(request: Request, admin: Principal, change: ChangedStaff) -> Account:
    """One's own account as the session is bound to it; for a new password the present one was right."""
    identity = platform_of(request).identity
    found = await identity.store.session(admin.token_hash)
    if found is None:
        raise session_ended()
    if change.password is not None and change.current_password is not None:
        with refusals_answered():
            present = change.current_password.get_secret_value()
            await identity.prove_password(found[1], present, counted_address(request))
    return found[1]


def check(**troubles: str | None) -> None:
    """Raises Problem 422 for the fields about which there is something to say."""
    wrong_ones = {field: trouble for field, trouble in troubles.items() if trouble is not None}
    if wrong_ones:
        raise wrong(**wrong_ones)


def wrong(**fields: str) -> Problem:
    return invalid(FieldError(field, message) for field, message in fields.items())


def _conflict(field: str, sentence: str) -> Problem:
    return Problem(409, sentence, errors=[FieldError(field, sentence)])


def _once(roles: Sequence[Role]) -> tuple[Role, ...]:
    return tuple(dict.fromkeys(roles))


def _order(admin: Principal, key: str, new: NewStaff) -> Order | None:
    """The password is left out of the digest: a fast hash of it has no place on a disk."""
    if not key:
        return None
    asked = json.dumps(new.model_dump(mode="json", exclude={"password"}), sort_keys=True)
    return Order(_digest(f"{admin.username} {key}"), _digest(asked))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
