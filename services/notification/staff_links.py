"""Where members of staff find the request that an e-mail is about; who is not signed in is asked to, and then led on."""

from __future__ import annotations

from collections.abc import Sequence

from shared.identity.accounts import Role
from shared.web.views.navigation import MENU_ITEMS, SIGN_IN

_HOME_PATHS = {place.role: place.path for place in reversed(MENU_ITEMS)}
_ROLES_WITH_FULL_ACCESS = (Role.OFFICER, Role.STRUCTURAL)


def path_for_role(request_id: str, role: Role) -> str:
    """For everybody of a role that may open every request."""
    return f"{_HOME_PATHS[role]}/{request_id}"


def path_for_person(request_id: str, roles: Sequence[Role], *, is_lead: bool) -> str:
    """For one person: whoever leads the request finds it among the own work, from where a former lead cannot open it."""
    if is_lead:
        return path_for_role(request_id, Role.TECHNICAL)
    role = next((role for role in _ROLES_WITH_FULL_ACCESS if role in roles), None)
    if role is not None:
        return path_for_role(request_id, role)
    return _HOME_PATHS[Role.TECHNICAL] if Role.TECHNICAL in roles else SIGN_IN
