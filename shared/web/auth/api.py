"""The JSON API of sessions and staff accounts; no response contains a password or its hash."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from shared.identity.accounts import Account, Role
from shared.identity.principal import Principal
from shared.web.api.lists import PageResponse
from shared.web.api.openapi import EMPTY_RESPONSES
from shared.web.auth.access import GuardedRoute, public, require_same_origin, signed_in
from shared.web.auth.own_account import OwnAccountUpdate, authenticated_by_cookie, change_own_account
from shared.web.auth.sessions import (
    Credentials,
    clear_session_cookie,
    new_session,
    session_response,
    set_session_cookie,
)
from shared.web.auth.staff_accounts import NewStaff, StaffUpdate, add_account, change_account
from shared.web.dependencies import platform_of

SignedInStaff = Annotated[Principal, Depends(signed_in())]
Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]
TOO_MANY_ATTEMPTS_RESPONSE: dict[int | str, dict[str, Any]] = {429: {"description": "Too many wrong passwords"}}
SIGN_IN_ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "Wrong username, password or code"},
    403: {"description": "Called from another site's page"},
}
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]


class SessionResponse(BaseModel):
    """The member of staff who is signed in; `csrf` is the token for requests that authenticate by cookie."""

    username: str
    name: str
    roles: list[Role]
    csrf: str


class NewSessionResponse(SessionResponse):
    """A new session; `token` is the bearer token."""

    token: str


class AccountResponse(BaseModel):
    """A staff account without its password."""

    username: str
    name: str
    email: str
    roles: list[Role]
    active: bool


class AccountListResponse(PageResponse[AccountResponse]):
    """All staff accounts; the list has one page."""


router = APIRouter(route_class=GuardedRoute, tags=["staff"])


@router.post(
    "/api/session",
    dependencies=[Depends(public())],
    response_model=NewSessionResponse,
    responses=SIGN_IN_ERROR_RESPONSES,
)
async def sign_in(credentials: Credentials, request: Request, response: Response) -> dict[str, Any]:
    """Sign in. Every call creates a session: tokens are stored as hashes, so a repeated call cannot return the first one."""
    require_same_origin(request)
    token, principal = await new_session(request, credentials)
    set_session_cookie(request, response, token)
    return {"token": token, **session_response(principal)}


@router.get("/api/session", response_model=SessionResponse)
async def get_session(principal: SignedInStaff, response: Response) -> dict[str, Any]:
    """The member of staff whose session this is."""
    response.headers["Cache-Control"] = "no-store"
    return session_response(principal)


@router.patch("/api/session", response_model=NewSessionResponse, responses=TOO_MANY_ATTEMPTS_RESPONSE)
async def update_own_account(
    change: OwnAccountUpdate, principal: SignedInStaff, request: Request, response: Response
) -> dict[str, Any]:
    """Change one's own name or password. All sessions of the account end; the response has the token of a new one."""
    with_cookie = authenticated_by_cookie(request, principal)
    token, session = await change_own_account(request, principal, change)
    if with_cookie:
        set_session_cookie(request, response, token)
    response.headers["Cache-Control"] = "no-store"
    return {"token": token, **session_response(session)}


@router.delete("/api/session", response_model=None, responses=EMPTY_RESPONSES)
async def sign_out(principal: SignedInStaff, request: Request, response: Response) -> dict[str, Any]:
    """End the session."""
    await platform_of(request).identity.sign_out(principal)
    clear_session_cookie(request, response)
    return {}


@router.get("/api/staff", response_model=AccountListResponse)
async def list_staff(_: Admin, request: Request, response: Response) -> dict[str, Any]:
    """List all staff accounts."""
    response.headers["Cache-Control"] = "no-store"
    accounts = await platform_of(request).identity.store.accounts()
    return {"items": accounts, "next": None, "previous": None}


@router.post("/api/staff", status_code=201, response_model=AccountResponse)
async def add_staff(new: NewStaff, admin: Admin, request: Request, key: IdempotencyKey = "") -> Account:
    """Create a staff account."""
    return await add_account(request, admin, new, key)


@router.patch("/api/staff/{username}", response_model=AccountResponse, responses=TOO_MANY_ATTEMPTS_RESPONSE)
async def change_staff(username: str, change: StaffUpdate, admin: Admin, request: Request) -> Account:
    """Change the given fields of an account and end its sessions. One's own password needs the current one."""
    return await change_account(request, admin, username, change)
