"""Signing in and out, and staff accounts, over HTTP; a password or its hash is never answered."""

import hashlib
import json
import re
import unicodedata
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import ConfigDict, Field, SecretStr

from shared.identity.accounts import Account, LastAdmin, Order, Role, UsernameTaken
from shared.identity.addresses import valid_address as valid_address
from shared.identity.identity import (
    LONGEST,
    Identity,
    Principal,
    SignInRefused,
    TooManyFailures,
    UnknownAccount,
)
from shared.identity.passwords import WeakPassword
from shared.web.access import (
    GuardedRoute,
    cookie_name,
    public,
    require_same_origin,
    session_cookie,
    signed_in,
)
from shared.web.bodies import Body, FieldError
from shared.web.client_address import client_address
from shared.web.platform_of import platform_of
from shared.web.problems import Problem, invalid

_USERNAME = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")

Password = Annotated[SecretStr, Field(max_length=1024)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
Anybody = Annotated[Principal, Depends(signed_in())]
Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]


class Exact(Body):
    """Nothing is stripped: blanks at the ends belong to a password."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Credentials(Exact):
    username: Annotated[str, Field(max_length=200)]
    password: Password
    code: Annotated[str, Field(max_length=20)] = ""


class NewStaff(Exact):
    username: str
    name: str
    email: str
    roles: Roles
    password: Password


class ChangedStaff(Exact):
    """What is left out or null stays as it is."""

    name: str | None = None
    email: str | None = None
    roles: Roles | None = None
    active: bool | None = None
    password: Password | None = None


def valid_username(text: str) -> str | None:
    """Why this is no username (a sentence for people), None if it is one."""
    if not 3 <= len(text) <= 32:
        return "Nama pengguna terdiri atas 3 sampai 32 karakter."
    if _USERNAME.fullmatch(text) is None:
        return "Nama pengguna memakai huruf kecil, angka, titik, dan tanda hubung, serta dimulai dengan huruf."
    return None


def valid_name(text: str) -> str | None:
    """Why this cannot be shown as a person's name (a sentence for people), None if it can."""
    if not text.strip() or len(text) > 100:
        return "Nama wajib diisi, paling panjang 100 karakter."
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for letter in text):
        return "Nama tidak boleh memuat ganti baris atau karakter kendali."
    return None


def router() -> APIRouter:
    """The routes of sessions and staff accounts."""
    routes = APIRouter(route_class=GuardedRoute, tags=["staff"])
    routes.add_api_route("/api/session", sign_in, methods=["POST"], dependencies=[Depends(public())])
    routes.add_api_route("/api/session", who_am_i, methods=["GET"])
    routes.add_api_route("/api/session", sign_out, methods=["DELETE"])
    routes.add_api_route("/api/staff", list_staff, methods=["GET"])
    routes.add_api_route("/api/staff", add_staff, methods=["POST"], status_code=201)
    routes.add_api_route("/api/staff/{username}", change_staff, methods=["PATCH"])
    return routes


async def sign_in(credentials: Credentials, request: Request, response: Response) -> dict[str, Any]:
    """A fresh session at every call: tokens are only kept as hashes, so a repeated key cannot get the first one again."""
    require_same_origin(request)
    token, principal = await new_session(request, credentials)
    give_session(request, response, token)
    return {"token": token, **_shown_session(principal)}


async def new_session(request: Request, credentials: Credentials) -> tuple[str, Principal]:
    """A session instead of the one that this browser had: its token, and whose it is. Raises Problem 401 and 429."""
    identity = _identity(request)
    password = credentials.password.get_secret_value()
    try:
        token, principal = await identity.sign_in(credentials.username, password, credentials.code, _address(request))
    except SignInRefused as error:
        raise Problem(401, "Nama pengguna, kata sandi, atau kode tidak cocok.") from error
    except TooManyFailures as error:
        minutes = -(-error.seconds // 60)
        sentence = f"Terlalu banyak percobaan masuk yang gagal. Coba lagi dalam {minutes} menit."
        raise Problem(429, sentence, headers={"Retry-After": str(error.seconds)}) from error
    if before := session_cookie(request):
        await identity.forget(before)
    return token, principal


async def who_am_i(principal: Anybody, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return _shown_session(principal)


async def sign_out(principal: Anybody, request: Request, response: Response) -> dict[str, Any]:
    await _identity(request).sign_out(principal)
    end_session(request, response)
    return {}


async def list_staff(_: Admin, request: Request, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    accounts = await _identity(request).store.accounts()
    return {"items": [_shown(account) for account in accounts], "next": None, "previous": None}


async def add_staff(new: NewStaff, admin: Admin, request: Request, key: IdempotencyKey = "") -> dict[str, Any]:
    _check(username=valid_username(new.username), name=valid_name(new.name), email=valid_address(new.email))
    roles = tuple(dict.fromkeys(new.roles))
    password = new.password.get_secret_value()
    try:
        account = await _identity(request).add_staff(
            new.username, new.name.strip(), new.email, roles, password, by=admin.username, order=_order(admin, key, new)
        )
    except WeakPassword as error:
        raise _wrong(password=str(error)) from error
    except UsernameTaken as error:
        raise Problem(409, f"Nama pengguna {new.username} sudah dipakai. Pilih nama yang lain.") from error
    return _shown(account)


async def change_staff(username: str, change: ChangedStaff, admin: Admin, request: Request) -> dict[str, Any]:
    _check(
        name=valid_name(change.name) if change.name is not None else None,
        email=valid_address(change.email) if change.email is not None else None,
    )
    if change.active is False and username.strip().lower() == admin.username:
        raise Problem(409, "Anda tidak dapat menonaktifkan akun Anda sendiri. Mintalah kepada Administrator lain.")
    try:
        account = await _identity(request).change_staff(username, by=admin.username, **_changes(change))
    except UnknownAccount as error:
        raise Problem(404, "Akun ini tidak ada.") from error
    except WeakPassword as error:
        raise _wrong(password=str(error)) from error
    except LastAdmin as error:
        raise Problem(409, "Ini Administrator aktif yang terakhir. Tunjuk Administrator lain lebih dahulu.") from error
    return _shown(account)


def _identity(request: Request) -> Identity:
    return platform_of(request).identity


def _changes(change: ChangedStaff) -> dict[str, Any]:
    return {
        "name": change.name.strip() if change.name is not None else None,
        "email": change.email,
        "roles": tuple(dict.fromkeys(change.roles)) if change.roles is not None else None,
        "active": change.active,
        "password": change.password.get_secret_value() if change.password is not None else None,
    }


def _order(admin: Principal, key: str, new: NewStaff) -> Order | None:
    """The password is left out of the digest: a fast hash of it has no place on a disk."""
    if not key:
        return None
    asked = json.dumps(new.model_dump(mode="json", exclude={"password"}), sort_keys=True)
    return Order(_digest(f"{admin.username} {key}"), _digest(asked))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def give_session(request: Request, response: Response, token: str, seconds: int = int(LONGEST.total_seconds())) -> None:
    """The cookie by which a browser shows its session."""
    tls = platform_of(request).settings.tls
    response.set_cookie(
        cookie_name(request), token, max_age=seconds, path="/", secure=tls, httponly=True, samesite="lax"
    )
    response.headers["Cache-Control"] = "no-store"


def end_session(request: Request, response: Response) -> None:
    give_session(request, response, "", 0)


def _address(request: Request) -> str:
    """Where tries are counted; of IPv6 the /64, since a single line has all of it."""
    host = client_address(request)
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address.packed, 64), strict=False))
    return str(address)


def _shown_session(principal: Principal) -> dict[str, Any]:
    roles = list(principal.roles)
    return {"username": principal.username, "name": principal.name, "roles": roles, "csrf": principal.csrf}


def _shown(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "roles": list(account.roles),
        "active": account.active,
    }


def _check(**troubles: str | None) -> None:
    wrong = {field: trouble for field, trouble in troubles.items() if trouble is not None}
    if wrong:
        raise _wrong(**wrong)


def _wrong(**fields: str) -> Problem:
    return invalid(FieldError(field, message) for field, message in fields.items())
