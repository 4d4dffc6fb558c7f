"""The requests of a lead until the handover is confirmed, and their new lead when the person leaves or loses the role."""

from __future__ import annotations

from collections.abc import Sequence

from services.assignment.domain.commands import ReassignLead
from services.assignment.domain.decisions import LEAD_STATUSES
from services.assignment.domain.state import State
from services.assignment.projections import requests_query
from shared.clock import random_id
from shared.contracts.facts import Staff
from shared.identity.accounts import Role
from shared.identity.open_work import OpenWork
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, Executor
from shared.web.api.serializers import subject

PAGE_SIZE = 200


class LeadWork:
    """StaffWork of leads; every request needs a lead."""

    role = Role.TECHNICAL
    needs_successor = True

    def __init__(self, executor: Executor[State]) -> None:
        self._executor = executor

    async def open_work(self, username: str) -> Sequence[OpenWork]:
        query = requests_query(lead=username, status=LEAD_STATUSES, open_only=True, limit=PAGE_SIZE)
        return [
            OpenWork(loaded.id, loaded.state.number, subject(loaded.state), loaded.state.status.value, self.role)
            async for loaded in self._executor.find_all(query)
        ]

    async def hand_over(self, work: OpenWork, successor: Staff | None, by: Staff, reason: str) -> None:
        if successor is None:
            raise ValueError("the work of a lead needs a successor")
        try:
            command = ReassignLead(by, successor, reason, lead_leaves=True)
            await self._executor.execute(work.id, command, CommandKey(random_id(), digest=""))
        except Refusal:
            return  # confirmed, withdrawn or reassigned meanwhile
