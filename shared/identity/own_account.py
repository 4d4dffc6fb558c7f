"""Everybody's own account, for programs and pages alike: one's name, and one's password if the present one is known."""

from __future__ import annotations

from fastapi import Request

from shared.identity.identity import Principal
from shared.identity.passwords import WeakPassword
from shared.identity.present_password import missing_passwords, refusals_answered, session_ended
from shared.identity.sessions import Exact, Password, counted_address
from shared.identity.staff import PersonName, check, valid_name, wrong
from shared.web.access import session_cookie
from shared.web.platform_of import platform_of


class OwnChange(Exact):
    """What is left out or null stays as it is; a new `password` needs the present one as `current_password`."""

    name: PersonName | None = None
    password: Password | None = None
    current_password: Password | None = None


async def change_own(request: Request, principal: Principal, change: OwnChange) -> tuple[str, Principal]:
    """The fresh session that takes the place of all that this account had. Raises Problem 401, 422 and 429."""
    check(
        name=valid_name(change.name) if change.name is not None else None,
        **missing_passwords(change.password, change.current_password),
    )
    try:
        with refusals_answered():
            fresh = await platform_of(request).identity.change_own(
                principal,
                name=change.name.strip() if change.name is not None else None,
                password=change.password.get_secret_value() if change.password else None,
                present=change.current_password.get_secret_value() if change.current_password else "",
                address=counted_address(request),
            )
    except WeakPassword as error:
        raise wrong(password=str(error)) from error
    if fresh is None:
        raise session_ended()
    return fresh


def came_with_cookie(request: Request, principal: Principal) -> bool:
    """Whether it is this browser's cookie that showed the session, and so must be replaced with it."""
    cookie = session_cookie(request)
    return cookie is not None and platform_of(request).identity.belongs(cookie, principal)
