"""The requests that an officer has claimed, and who checks them when the person leaves or loses the role."""

from __future__ import annotations

from collections.abc import Sequence

from services.verification.domain.commands import ClaimCommand, ClaimRequest, ReleaseClaim
from services.verification.domain.state import State
from services.verification.projections import requests_query
from shared.clock import random_id
from shared.contracts.facts import Staff
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.identity.open_work import OpenWork
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, Executor
from shared.web.api.serializers import subject

PAGE_SIZE = 200


class ClaimedWork:
    """StaffWork of officers; a request that is released waits for any officer."""

    role = Role.OFFICER
    needs_successor = False

    def __init__(self, executor: Executor[State]) -> None:
        self._executor = executor

    async def open_work(self, username: str) -> Sequence[OpenWork]:
        query = requests_query(claimed_by=username, status=Status.SUBMITTED, open_only=True, limit=PAGE_SIZE)
        return [
            OpenWork(loaded.id, loaded.state.number, subject(loaded.state), loaded.state.status.value, self.role)
            async for loaded in self._executor.find_all(query)
        ]

    async def hand_over(self, work: OpenWork, successor: Staff | None, by: Staff, _reason: str) -> None:
        command: ClaimCommand = ClaimRequest(by, successor, replace=True) if successor else ReleaseClaim(by)
        try:
            await self._executor.execute(work.id, command, CommandKey(random_id(), digest=""))
        except Refusal:
            return  # decided or released meanwhile
