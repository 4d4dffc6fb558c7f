"""Signing in and out, one's own account, and staff accounts, over HTTP; a password or its hash is never answered."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from shared.identity.accounts import Account, Role
from shared.identity.identity import Principal
from shared.identity.own_account import OwnChange, came_with_cookie, change_own
from shared.identity.sessions import Credentials, end_session, give_session, new_session, shown_session
from shared.identity.staff import ChangedStaff, NewStaff, add_account, change_account
from shared.web.access import GuardedRoute, public, require_same_origin, signed_in
from shared.web.platform_of import platform_of

Anybody = Annotated[Principal, Depends(signed_in())]
Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]
TOO_MANY_TRIES: dict[int | str, dict[str, Any]] = {429: {"description": "Too many wrong passwords"}}
REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"description": "Wrong username, password or code"},
    403: {"description": "Called from another site's page"},
}
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]


def router() -> APIRouter:
    """The routes of sessions and staff accounts."""
    routes = APIRouter(route_class=GuardedRoute, tags=["staff"])
    routes.add_api_route("/api/session", sign_in, methods=["POST"], dependencies=[Depends(public())], responses=REFUSED)
    routes.add_api_route("/api/session", who_am_i, methods=["GET"])
    routes.add_api_route("/api/session", change_myself, methods=["PATCH"], responses=TOO_MANY_TRIES)
    routes.add_api_route("/api/session", sign_out, methods=["DELETE"])
    routes.add_api_route("/api/staff", list_staff, methods=["GET"])
    routes.add_api_route("/api/staff", add_staff, methods=["POST"], status_code=201)
    routes.add_api_route("/api/staff/{username}", change_staff, methods=["PATCH"], responses=TOO_MANY_TRIES)
    return routes


async def sign_in(credentials: Credentials, request: Request, response: Response) -> dict[str, Any]:
    """A fresh session at every call: tokens are only kept as hashes, so a repeated key cannot get the first one again."""
    require_same_origin(request)
    token, principal = await new_session(request, credentials)
    give_session(request, response, token)
    return {"token": token, **shown_session(principal)}


async def who_am_i(principal: Anybody, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return shown_session(principal)


async def change_myself(change: OwnChange, principal: Anybody, request: Request, response: Response) -> dict[str, Any]:
    """One's own name or password. Every session of the account ends; the answer has the token of the one that goes on."""
    with_cookie = came_with_cookie(request, principal)
    token, fresh = await change_own(request, principal, change)
    if with_cookie:
        give_session(request, response, token)
    response.headers["Cache-Control"] = "no-store"
    return {"token": token, **shown_session(fresh)}


async def sign_out(principal: Anybody, request: Request, response: Response) -> dict[str, Any]:
    await platform_of(request).identity.sign_out(principal)
    end_session(request, response)
    return {}


async def list_staff(_: Admin, request: Request, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    accounts = await platform_of(request).identity.store.accounts()
    return {"items": [_shown(account) for account in accounts], "next": None, "previous": None}


async def add_staff(new: NewStaff, admin: Admin, request: Request, key: IdempotencyKey = "") -> dict[str, Any]:
    return _shown(await add_account(request, admin, new, key))


async def change_staff(username: str, change: ChangedStaff, admin: Admin, request: Request) -> dict[str, Any]:
    """What is given of an account; its sessions end. The own password is only replaced by whoever gives the present one."""
    return _shown(await change_account(request, admin, username, change))


def _shown(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "roles": list(account.roles),
        "active": account.active,
    }
