"""The overdue board: open requests whose stage is overdue, by stage and by the one responsible.

Every number is a count over an index of open requests that are overdue, so that it costs the same however many have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.projections import overdue_query
from shared.calendar import today
from shared.clock import Clock
from shared.contracts.stages import APPLICANT, OFFICERS, STRUCTURAL, Stage, StageRules, stage_clock
from shared.identity.accounts import Account, AccountStore, Role
from shared.runtime.executor import Executor, Loaded
from shared.runtime.request_columns import PageKey

LONG_OVERDUE_DAYS = 5
"""Working days after which a request is long overdue."""
MAX_STAGE_REQUESTS, MAX_LIST_REQUESTS = 4, 50
"""How many requests the board shows of each stage, and the list of a single stage."""
OFFICE_STAGES = (Stage.VERIFY, Stage.APPOINT, Stage.START, Stage.WORK)
"""The stages in which the office has to act."""


@dataclass(frozen=True, slots=True)
class OverdueStage:
    """The overdue requests of a stage: their number, and the longest overdue of them."""

    stage: Stage
    count: int
    requests: Sequence[Loaded[State]]
    next: PageKey = None


@dataclass(frozen=True, slots=True)
class ResponsibleParty:
    """A person, a role or the applicants, who have to act: their overdue requests counted by stage, and the longest overdue one.

    `key` is what `responsible_for` returns of a request that waits for them.
    """

    key: str
    name: str
    role: str
    counts: dict[Stage, int]
    oldest: Loaded[State]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Board:
    """What is overdue on `day`: by stage, each as far as it is shown, and by the person who has to act."""

    day: date
    rules: StageRules
    stages: Sequence[OverdueStage]
    people: Sequence[ResponsibleParty]

    @property
    def total(self) -> int:
        return sum(person.total for person in self.people)

    def overdue_days(self, loaded: Loaded[State]) -> int:
        clock = stage_clock(loaded.state, self.rules)
        return clock.overdue_days(self.day, self.rules.calendar) if clock else 0


class OverdueBoard:
    """Reads the board from the columns of assignment."""

    def __init__(
        self, executor: Executor[State], accounts: AccountStore, clock: Clock, rules: Callable[[], StageRules]
    ) -> None:
        self._executor = executor
        self._accounts = accounts
        self._clock = clock
        self._rules = rules

    async def load(
        self,
        limit: int,
        *,
        stages: Sequence[Stage] = tuple(Stage),
        responsible: str = "",
        long_overdue: bool = False,
        after: PageKey = None,
    ) -> Board:
        """Return the board with up to `limit` requests of each stage; the filters do not apply to the table of people."""
        day, before = today(self._clock()), self._due_before(LONG_OVERDUE_DAYS if long_overdue else None)
        loaded_stages = [await self._stage(stage, before, responsible, limit, after) for stage in stages]
        return Board(day, self._rules(), loaded_stages, await self._people(day))

    async def count(self, *stages: Stage, long_overdue: bool = False) -> int:
        """Count the overdue requests in these stages, in all stages if none is named."""
        before = self._due_before(LONG_OVERDUE_DAYS if long_overdue else None)
        return await self._executor.count(overdue_query(before, stages=stages or None))

    async def requests_of(self, responsible: str, limit: int) -> Sequence[Loaded[State]]:
        """Return the overdue requests of one who has to act, the longest overdue first."""
        query = overdue_query(today(self._clock()), responsible=responsible, limit=limit)
        return (await self._executor.find(query)).items

    async def unreminded_requests_of(self, responsible: str, limit: int) -> Sequence[Loaded[State]]:
        """Return the same without those that somebody was reminded of today."""
        day, found = today(self._clock()), list[Loaded[State]]()
        async for loaded in self._executor.find_all(overdue_query(day, responsible=responsible)):
            if loaded.state.reminded_on != day:
                found.append(loaded)
            if len(found) == limit:
                break
        return found

    async def count_of(self, responsible: str) -> int:
        """Count the overdue requests of one who has to act."""
        return await self._executor.count(overdue_query(today(self._clock()), responsible=responsible))

    async def overdue_by(self, days: int, stages: Sequence[Stage], limit: int) -> Sequence[Loaded[State]]:
        """Return the requests that are overdue by at least so many working days, the longest overdue first."""
        query = overdue_query(self._due_before(days - 1), stages=stages, limit=limit)
        return (await self._executor.find(query)).items

    def _due_before(self, days: int | None) -> date:
        """Return the day before which a stage was due if it is overdue, or by more than so many working days."""
        day = today(self._clock())
        return day if days is None else self._rules().calendar.earliest_day_within(days, day)

    async def _stage(self, stage: Stage, before: date, responsible: str, limit: int, after: PageKey) -> OverdueStage:
        query = overdue_query(before, stages=(stage,), responsible=responsible, after=after, limit=limit)
        page = await self._executor.find(query)
        count = await self._executor.count(query) if page.next or after else len(page.items)
        return OverdueStage(stage, count, page.items, page.next)

    async def _people(self, day: date) -> list[ResponsibleParty]:
        accounts = await self._accounts.accounts()
        heads = [account for account in accounts if account.active and Role.STRUCTURAL in account.roles]
        labels: Any = WORDS.overdue.people
        candidates: list[tuple[str, str, str]] = [
            (OFFICERS, *labels.officers),
            (STRUCTURAL, heads[0].name if len(heads) == 1 else labels.structural[0], labels.structural[1]),
            *((f"staff:{account.username}", account.name, _work_label(account)) for account in accounts),
            (APPLICANT, *labels.applicant),
        ]
        found = await asyncio.gather(*(self._party(key, name, role, day) for key, name, role in candidates))
        return [party for party in found if party is not None]

    async def _party(self, key: str, name: str, role: str, day: date) -> ResponsibleParty | None:
        oldest = (await self._executor.find(overdue_query(day, responsible=key, limit=1))).items
        if not oldest:
            return None
        counts = [await self._executor.count(overdue_query(day, stages=(stage,), responsible=key)) for stage in Stage]
        return ResponsibleParty(key, name, role, dict(zip(Stage, counts, strict=True)), oldest[0])


def _work_label(account: Account) -> str:
    labels: Any = WORDS.overdue.people
    return str(labels.technical if Role.TECHNICAL in account.roles else labels.staff)
