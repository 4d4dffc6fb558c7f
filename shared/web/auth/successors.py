"""Who takes over the open work of a member of staff whose account is deactivated or who loses a role."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from shared.contracts.facts import Staff
from shared.identity.accounts import Account, Role
from shared.identity.open_work import OpenWork, StaffWork
from shared.identity.principal import Principal
from shared.web.api.problems import Problem
from shared.web.api.validation import FieldError
from shared.web.dependencies import platform_of
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.words import load_words

logger = logging.getLogger(__name__)

FIELD, CODE = "successor", "open_work"
_texts = load_words("shared.web.auth").successor


@dataclass(frozen=True, slots=True)
class Handover:
    """The open work that a change of the account `former` leaves behind, and who takes it over: None leaves it to all officers."""

    former: Account
    work: Sequence[tuple[StaffWork, OpenWork]]
    successor: Account | None

    async def execute(self, by: Principal) -> None:
        """Hand everything over; work that changed meanwhile stays as it is."""
        admin = Staff(username=by.username, name=f"{by.name} ({ROLE_LABELS[Role.ADMIN]})")
        for service, item in self.work:
            takes_over = self.successor is not None and service.role in self.successor.roles
            staff = _staff(self.successor) if self.successor and takes_over else None
            reason = _texts.reason.format(name=self.former.name, role=ROLE_LABELS[service.role])
            await service.hand_over(item, staff, admin, reason)
        if self.work:
            who = self.successor.username if self.successor else "all officers"
            logger.info("%d open requests of %s handed over to %s", len(self.work), self.former.username, who)


def _staff(account: Account) -> Staff:
    return Staff(username=account.username, name=account.name)


async def plan_handover(
    request: Request, account: Account, lost: Sequence[Role], successor: str | None, *, release: bool
) -> Handover:
    """Return the handover of the work that the person does with the roles that are lost.

    Raises Problem 409 with the open work if nobody is named for it, and 422 if the one named cannot take it over.
    """
    services: Sequence[StaffWork] = getattr(request.app.state, "staff_work", ())
    work = [
        (service, item)
        for service in services
        if service.role in lost
        for item in await service.open_work(account.username)
    ]
    if not work or (not successor and release and not any(service.needs_successor for service, _ in work)):
        return Handover(account, work, None)
    if not successor:
        error = FieldError(FIELD, _texts.needed.format(name=account.name, count=len(work)))
        raise Problem(409, error.message, errors=[error], code=CODE, **_details(work))
    found = await platform_of(request).identity.store.account(successor.lower())
    needed = {service.role for service, _ in work if service.needs_successor} or {service.role for service, _ in work}
    if found is None or not found.active or found.username == account.username or not needed <= set(found.roles):
        roles = ", ".join(ROLE_LABELS[role] for role in needed)
        error = FieldError(FIELD, _texts.unsuitable.format(roles=roles))
        raise Problem(422, error.message, errors=[error], **_details(work))
    return Handover(account, work, found)


def _details(work: Sequence[tuple[StaffWork, OpenWork]]) -> dict[str, Any]:
    items = [
        {"id": item.id, "number": item.number, "subject": item.subject, "status": item.status, "role": item.role.value}
        for _, item in work
    ]
    return {CODE: items, "needs_successor": any(service.needs_successor for service, _ in work)}
