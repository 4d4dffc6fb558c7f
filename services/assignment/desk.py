"""What calls and pages of this service have in common: which request somebody may open, and obeying what they ask."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel

from services.assignment.domain import Command, Rules, State
from services.assignment.queries import count_open, count_overdue, is_lead, was_just_taken_from
from services.assignment.sentences import NO_LEAD, SENTENCES, UNKNOWN
from shared.calendar import today
from shared.contracts.facts import Staff
from shared.identity.accounts import Account, Role
from shared.identity.identity import Principal
from shared.platform import Platform
from shared.runtime.execution import Kept
from shared.runtime.service import ServiceRuntime
from shared.web.bodies import FieldError
from shared.web.commands import obey
from shared.web.problems import Problem, invalid


class Desk:
    """The requests of this service as those see them who may."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform, rules: Rules):
        self.executor, self.store, self.platform, self.rules = runtime.executor, runtime.store, platform, rules

    async def known(self, id: str) -> Kept[State]:
        """Raises Problem 404 for a request that was not heard of."""
        kept = await self.executor.read(id)
        if kept is None or not kept.state.number:
            raise Problem(404, UNKNOWN)
        return kept

    async def work_of(self, id: str, lead: Principal) -> Kept[State]:
        """Raises Problem 404 as well for a request that somebody else leads."""
        kept = await self.known(id)
        if not is_lead(kept.state, lead.staff):
            raise Problem(404, UNKNOWN)
        return kept

    async def readable(self, id: str, reader: Principal) -> Kept[State]:
        """A head may open every request, technical staff their own. Raises Problem 404."""
        return await (self.known(id) if reader.has(Role.STRUCTURAL) else self.work_of(id, reader))

    def concerns(self, state: State, reader: Principal) -> bool:
        """Whether somebody is to hear that this request changed; who has just lost it hears that."""
        mine = is_lead(state, reader.staff) or was_just_taken_from(state, reader.staff)
        return bool(state.number) and (mine or reader.has(Role.STRUCTURAL))

    async def technician(self, username: str) -> Staff:
        """Raises Problem 422 for anybody who cannot lead."""
        account = await self.platform.accounts.account(username.lower())
        if account is None or not account.active or Role.TECHNICAL not in account.roles:
            raise invalid([FieldError("lead", NO_LEAD)])
        return Staff(username=account.username, name=account.name)

    async def obey(self, request: Request, id: str, command: Command, by: Principal, body: BaseModel) -> dict[str, Any]:
        return await obey(request, self.executor, id, command, by.username, SENTENCES, body)

    async def load_of(self, account: Account) -> dict[str, Any]:
        overdue = count_overdue(account.username, today(self.platform.clock()))
        return {
            "username": account.username,
            "name": account.name,
            "open": await self.executor.count(count_open(account.username)),
            "overdue": await self.executor.count(overdue),
        }

    async def loads(self) -> list[dict[str, Any]]:
        """The active technical staff, with how much open and overdue work each has."""
        return [await self.load_of(account) for account in await self.platform.accounts.with_role(Role.TECHNICAL)]
