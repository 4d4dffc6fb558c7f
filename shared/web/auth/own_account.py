"""Changes of the own account, for the API and for pages: name and password."""

from __future__ import annotations

from fastapi import Request

from shared.identity.account_names import validate_person_name
from shared.identity.passwords import WeakPassword
from shared.identity.principal import Principal
from shared.web.auth.access import session_cookie
from shared.web.auth.current_password import password_errors_as_problems, password_pair_errors, session_expired
from shared.web.auth.sessions import Password, UnstrippedBody, rate_limit_network
from shared.web.auth.staff_accounts import PersonName, invalid_fields, require_valid
from shared.web.dependencies import platform_of


class OwnAccountUpdate(UnstrippedBody):
    """Missing and null fields stay unchanged; a new `password` needs the `current_password`."""

    name: PersonName | None = None
    password: Password | None = None
    current_password: Password | None = None


async def change_own_account(request: Request, principal: Principal, change: OwnAccountUpdate) -> tuple[str, Principal]:
    """Change the own account and return the new session, which replaces all others. Raises: Problem 401, 422, 429."""
    require_valid(
        name=validate_person_name(change.name) if change.name is not None else None,
        **password_pair_errors(change.password, change.current_password),
    )
    try:
        with password_errors_as_problems():
            session = await platform_of(request).identity.change_own_account(
                principal,
                name=change.name.strip() if change.name is not None else None,
                password=change.password.get_secret_value() if change.password else None,
                current_password=change.current_password.get_secret_value() if change.current_password else "",
                address=rate_limit_network(request),
            )
    except WeakPassword as error:
        raise invalid_fields(password=str(error)) from error
    if session is None:
        raise session_expired()
    return session


def authenticated_by_cookie(request: Request, principal: Principal) -> bool:
    """Whether the session came from this browser's cookie, which then has to be replaced."""
    cookie = session_cookie(request)
    return cookie is not None and platform_of(request).identity.is_session_token(cookie, principal)
