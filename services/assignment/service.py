"""What calls and pages of this service have in common: which request somebody may open, and obeying what they ask."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel

from services.assignment.domain.commands import Command
from services.assignment.domain.decisions import Rules
from services.assignment.domain.state import State
from services.assignment.errors import LEAD_NOT_AVAILABLE, REFUSAL_MESSAGES, REQUEST_NOT_FOUND
from services.assignment.presenters import is_lead, was_just_reassigned_from
from services.assignment.projections import count_open, count_overdue
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import Staff
from shared.identity.accounts import Account, Role
from shared.identity.service import Principal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.api.commands import execute_command
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError


class AssignmentService:
    """The requests of this service as those see them who may."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform, rules: Rules) -> None:
        self.executor, self.store, self.platform, self.rules = runtime.executor, runtime.store, platform, rules

    async def get_request(self, id: str) -> Loaded[State]:
        """Raises Problem 404 for a request that was not heard of."""
        loaded = await self.executor.read(id)
        if loaded is None or not loaded.state.number:
            raise Problem(404, REQUEST_NOT_FOUND)
        return loaded

    async def get_own_request(self, id: str, lead: Principal) -> Loaded[State]:
        """Raises Problem 404 as well for a request that somebody else leads."""
        loaded = await self.get_request(id)
        if not is_lead(loaded.state, lead.staff):
            raise Problem(404, REQUEST_NOT_FOUND)
        return loaded

    async def get_readable_request(self, id: str, reader: Principal) -> Loaded[State]:
        """A head may open every request, technical staff their own. Raises Problem 404."""
        return await (self.get_request(id) if reader.has_role(Role.STRUCTURAL) else self.get_own_request(id, reader))

    def is_visible_to(self, state: State, reader: Principal) -> bool:
        """Whether somebody is to hear that this request changed; who has just lost it hears that."""
        mine = is_lead(state, reader.staff) or was_just_reassigned_from(state, reader.staff)
        return bool(state.number) and (mine or reader.has_role(Role.STRUCTURAL))

    async def get_lead_candidate(self, username: str) -> Staff:
        """Raises Problem 422 for anybody who cannot lead."""
        account = await self.platform.accounts.account(username.lower())
        if account is None or not account.active or Role.TECHNICAL not in account.roles:
            raise validation_problem([FieldError("lead", LEAD_NOT_AVAILABLE)])
        return Staff(username=account.username, name=account.name)

    async def execute_command(
        self, request: Request, id: str, command: Command, by: Principal, body: BaseModel
    ) -> dict[str, Any]:
        return await execute_command(request, self.executor, id, command, by.username, REFUSAL_MESSAGES, body)

    async def workload_of(self, account: Account) -> dict[str, Any]:
        overdue = count_overdue(account.username, today(self.platform.clock()))
        return {
            "username": account.username,
            "name": account.name,
            "open": await self.executor.count(count_open(account.username)),
            "overdue": await self.executor.count(overdue),
        }

    async def workloads(self) -> list[dict[str, Any]]:
        """The active technical staff, with how much open and overdue work each has."""
        return [
            await self.workload_of(account)
            for account in await self.platform.accounts.accounts_with_role(Role.TECHNICAL)
        ]
