"""Plan the daily digests of overdue work: what is mailed to each member of staff, once a working day.

A plan is an entry of the office store, which notification sends; its key makes it the only one of that day and person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import Any

from services.assignment.domain.state import State
from services.assignment.overdue_board import OFFICE_STAGES, OverdueBoard
from shared.calendar import WIT, today
from shared.clock import Clock
from shared.contracts.stages import OFFICERS, STRUCTURAL, StageRules, stage_clock
from shared.identity.accounts import Account, AccountStore, Role
from shared.identity.substitutes import SubstituteRegister
from shared.office.digests import DIGEST_LIFETIME, DIGESTS, digest_key
from shared.office.port import EntryConflict, OfficeStore
from shared.runtime.executor import Loaded

DIGEST_TIME = time(7, 30, tzinfo=WIT)
"""The beginning of a working day."""
POLL_INTERVAL_SECONDS = 30.0
MAX_ITEMS = 20
MAX_ABOUT_LENGTH = 120
HEAD_AFTER_DAYS = 2
"""Working days after which an overdue request is in the digest of the head too."""


class OverdueDigests:
    """Plans the digests of each working day, in one of the processes of assignment."""

    def __init__(
        self,
        board: OverdueBoard,
        accounts: AccountStore,
        office: OfficeStore,
        substitutes: SubstituteRegister,
        clock: Clock,
        rules: Callable[[], StageRules],
    ) -> None:
        self._substitutes = substitutes
        self._board = board
        self._accounts = accounts
        self._office = office
        self._clock = clock
        self._rules = rules
        self._planned_on: date | None = None

    async def run(self) -> None:
        """Plan digests when they are due, forever."""
        while True:
            await self.plan_due()
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def plan_due(self) -> None:
        """Plan the digests of today, if it is a working day that has begun and nobody has planned them."""
        now = self._clock()
        day = today(now)
        begun = now >= datetime.combine(day, DIGEST_TIME) and self._rules().calendar.is_working_day(day)
        if not begun or day == self._planned_on:
            return
        if await self._office.get(DIGESTS, day.isoformat()) is None:
            for account in await self._accounts.accounts():
                if account.active:
                    await self._plan(account, day, now)
            await self._office.put(DIGESTS, day.isoformat(), {}, expires_at=now + DIGEST_LIFETIME)
        self._planned_on = day

    async def _plan(self, account: Account, day: date, now: datetime) -> None:
        names = await self._responsibilities(account)
        own, total = await self._own_items(names, day)
        late = await self._items_for_heads(day) if STRUCTURAL in names else []
        stages = await self._stage_counts() if late else {}
        if not own and not late:
            return
        body = {"own": own, "total": total, "late": late, "stages": stages}
        try:
            key = digest_key(day, account.username)
            await self._office.put(DIGESTS, key, body, expected=0, expires_at=now + DIGEST_LIFETIME)
        except EntryConflict:
            return  # another process planned it

    async def _own_items(self, names: Sequence[str], day: date) -> tuple[list[dict[str, Any]], int]:
        """Return the overdue requests that wait for one of these, and their number."""
        found: list[Loaded[State]] = []
        for name in names:
            found += await self._board.requests_of(name, MAX_ITEMS)
        total = sum([await self._board.count_of(name) for name in names])
        return self._items(found, day), total

    async def _responsibilities(self, account: Account) -> list[str]:
        """Return what this person is responsible for: as themselves, as a member of a role, and as a substitute."""
        capacities = await self._substitutes.capacities(account.username)
        persons = [account.username, *(capacity.username for capacity in capacities if capacity.username)]
        roles = {*account.roles, *(role for capacity in capacities for role in capacity.roles)}
        names = {Role.OFFICER: OFFICERS, Role.STRUCTURAL: STRUCTURAL}
        return [
            *dict.fromkeys(f"staff:{person}" for person in persons),
            *(name for role, name in names.items() if role in roles),
        ]

    async def _items_for_heads(self, day: date) -> list[dict[str, Any]]:
        return self._items(await self._board.overdue_by(HEAD_AFTER_DAYS, OFFICE_STAGES, MAX_ITEMS), day)

    async def _stage_counts(self) -> dict[str, int]:
        return {stage.value: await self._board.count(stage) for stage in OFFICE_STAGES}

    def _items(self, requests: Sequence[Loaded[State]], day: date) -> list[dict[str, Any]]:
        items, rules = list[dict[str, Any]](), self._rules()
        for loaded in requests:
            clock = stage_clock(loaded.state, rules)
            if clock is not None:
                days = clock.overdue_days(day, rules.calendar)
                about = loaded.state.description[:MAX_ABOUT_LENGTH]
                items.append({"number": loaded.state.number, "about": about, "stage": clock.stage, "days": days})
        return sorted(items, key=lambda item: item["days"], reverse=True)[:MAX_ITEMS]
