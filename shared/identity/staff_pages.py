"""The pages of staff accounts, for administrators. A password that is made here is shown on one answer and never again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Account, Role
from shared.identity.addresses import valid_address
from shared.identity.identity import Principal
from shared.identity.passwords import written_out
from shared.identity.present_password import session_ended
from shared.identity.sessions import Exact, Password, give_session
from shared.identity.staff import (
    UNKNOWN,
    ChangedStaff,
    EmailAddress,
    NewStaff,
    PersonName,
    Roles,
    add_account,
    change_account,
    check,
    valid_name,
    valid_username,
    wrong,
)
from shared.text_cleaning import clean_email, without_invisible
from shared.web.access import signed_in
from shared.web.admin_pages import AdminPages
from shared.web.bodies import REQUIRED
from shared.web.labels import ROLE_LABELS
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.platform_of import platform_of
from shared.web.posted import Posted
from shared.web.problems import Problem

_page = AdminPages("shared.identity")

ACCOUNTS = "/akun"
ADDED, CHANGED = "ditambah", "diubah"

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


class EditedStaff(Exact):
    """An account as its form has it: everything at once, but for a password that stays as it is."""

    name: PersonName
    email: EmailAddress
    roles: Roles
    active: bool
    password: Password | None = None


def pages() -> APIRouter:
    """Routes under /akun."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(ACCOUNTS)
    async def accounts(request: Request, admin: Admin) -> Response:
        kept = await platform_of(request).accounts.accounts()
        return await _page(request, "accounts.html", accounts=kept, done=_done(request, kept))

    add_form(routes, f"{ACCOUNTS}/baru", NewAccount(), signed_in(Role.ADMIN))
    add_form(routes, f"{ACCOUNTS}/{{username}}", EditedAccount(), signed_in(Role.ADMIN))
    return routes


def _done(request: Request, accounts: Iterable[Account]) -> tuple[str, str] | None:
    """What was done to which account, if the address tells of one that there is."""
    for what in (ADDED, CHANGED):
        name = request.query_params.get(what, "")
        if any(account.username == name for account in accounts):
            return what, name
    return None


class NewAccount:
    async def show(self, request: Request, posted: Posted) -> Response:
        return await _page(request, "account.html", posted=posted, account=None, own=False, roles=_roles())

    async def act(self, request: Request, posted: Posted) -> Response:
        _look_over(posted, "username", "name", "email", "roles")
        made = "" if posted.text("password").strip() else _made_password(request, posted)
        new = posted.judged(NewStaff, **({"password": made} if made else {}))
        account = await add_account(request, request.state.principal, new, posted.key)
        return await _answer(request, account, ADDED, made)


class EditedAccount:
    async def show(self, request: Request, posted: Posted) -> Response:
        account = await platform_of(request).accounts.account(request.path_params["username"])
        if account is None:
            raise Problem(404, UNKNOWN)
        own = account.username == request.state.principal.username
        return await _page(request, "account.html", posted=posted, account=account, own=own, roles=_roles())

    async def act(self, request: Request, posted: Posted) -> Response:
        _look_over(posted, "name", "email", "roles")
        form = posted.judged(EditedStaff, "make", active=bool(posted.text("active")))
        made = _made_password(request, posted) if posted.text("make") else ""
        if made and form.password:
            raise wrong(password=_page.words.account.password_twice)
        change = ChangedStaff(**{**form.model_dump(), **({"password": made} if made else {})})
        username = request.path_params["username"]
        if username == request.state.principal.username:
            return await self._change_own(request, change)
        account = await change_account(request, request.state.principal, username, change)
        return await _answer(request, account, CHANGED, made)

    async def _change_own(self, request: Request, change: ChangedStaff) -> Response:
        """Whoever changes the own account stays signed in; the own password asks for the present one, on another page."""
        if change.password:
            raise wrong(password=_page.words.account.password_own)
        principal: Principal = request.state.principal
        identity = platform_of(request).identity
        found = await identity.store.session(principal.token_hash)
        account = await change_account(request, principal, principal.username, change)
        answer = await _answer(request, account, CHANGED, "")
        if found is not None:
            fresh = await identity.replace_session(found[0], account)
            if fresh is None:
                raise session_ended()
            give_session(request, answer, fresh[0])
        return answer


_JUDGES: Mapping[str, Callable[[str], str | None]] = {
    "username": lambda text: valid_username(without_invisible(text)),
    "name": valid_name,
    "email": lambda text: valid_address(clean_email(text)),
}


def _look_over(posted: Posted, *fields: str) -> None:
    """All that is missing or wrong at once, before what only the store can know. Raises Problem 422."""
    troubles: dict[str, str | None] = {}
    for field in fields:
        text, judge = posted.text(field), _JUDGES.get(field)
        if not text.strip():
            troubles[field] = REQUIRED
        elif judge:
            troubles[field] = judge(text)
    check(**troubles)


def _roles() -> list[tuple[str, str, str]]:
    about = _page.words.roles
    return [(role.value, ROLE_LABELS[role], about[role.value]) for role in Role]


def _made_password(request: Request, posted: Posted) -> str:
    """The same for a form that is sent twice, so that the one that is shown is the one that counts; for nobody else."""
    principal: Principal = request.state.principal
    return written_out(platform_of(request).seals.seal("password", f"{principal.token_hash}\n{posted.key}"))


async def _answer(request: Request, account: Account, what: str, made: str) -> Response:
    if not made:
        return see(f"{ACCOUNTS}?{what}={account.username}")
    answer: Response = await _page(request, "made_password.html", account=account, password=made, what=what)
    answer.headers["Cache-Control"] = "no-store"
    return answer
