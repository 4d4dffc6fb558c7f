"""Load during faults: a demo request every second, and a journal of commands and responses."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from simpul.client import ApiError, RetryPolicy, SimpulClient, open_client
from simpul.client_types import Upload
from simpul.demo.accounts import Account
from simpul.demo.journey import NOT_FOUND, Actors, Journey, PropagationTimeout
from simpul.demo.runner import sign_in_actors
from simpul.demo.sample_requests import sample_request
from simpul.demo.scenarios import scenario_for
from tests.support.e2e.server_process import PASSWORD, STAFF

ACCOUNTS = [Account(username=name, password=PASSWORD, roles=roles) for name, (_, roles) in STAFF.items()]
RETRY_POLICY = RetryPolicy(timeout_seconds=300, max_delay_seconds=1)
UPDATE_TIMEOUT_SECONDS = 300.0
POLL_INTERVAL_SECONDS = 2.0
CONNECTIONS = 400
STAFF_SEES = ("verification", "assignment")


@dataclass
class CommandJournal:
    """Commands and responses with monotonic times."""

    asked: Counter[str] = field(default_factory=Counter)
    acknowledged: list[float] = field(default_factory=list)
    put_off: Counter[int] = field(default_factory=Counter)
    news: list[tuple[float, float]] = field(default_factory=list)
    """When an update of another service arrived, and after how many seconds."""

    @property
    def commands(self) -> int:
        return len(self.asked)

    @property
    def repeats(self) -> int:
        """Commands that were retried with the same key."""
        return self.asked.total() - self.commands

    def silence(self, begun: float, ended: float) -> float:
        """The longest time between two acknowledged commands, in seconds."""
        moments = [begun, *(moment for moment in self.acknowledged if begun < moment < ended), ended]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def waited(self, begun: float, ended: float) -> float:
        """The longest wait for an update that ended in this interval, counted from the interval's start."""
        waits = (min(seconds, moment - begun) for moment, seconds in self.news if begun < moment < ended)
        return max(waits, default=0.0)

    async def note_request(self, request: httpx.Request) -> None:
        if key := request.headers.get("Idempotency-Key"):
            self.asked[key] += 1

    async def note_response(self, response: httpx.Response) -> None:
        if response.is_server_error:
            self.put_off[response.status_code] += 1
        if response.is_success and "Idempotency-Key" in response.request.headers:
            self.acknowledged.append(time.monotonic())


class ObservedJourney(Journey):
    """A demo request that records what was sent and how long updates took."""

    def __init__(self, actors: Actors, number: int, seed: int, book: CommandJournal) -> None:
        super().__init__(actors, sample_request(seed, number, actors.today))
        self.scenario, self.trouble, self._book = scenario_for(number), "", book
        self.sent: set[str] = set()

    def _documents(self) -> tuple[Upload, list[Upload]]:
        letter, requirements = super()._documents()
        self.sent = {hashlib.sha256(each.content).hexdigest() for each in (letter, *requirements)}
        return letter, requirements

    async def _wait_for_status(
        self, who: str, look: Callable[[], Awaitable[dict[str, Any]]], status: str, round_number: int | None
    ) -> dict[str, Any]:
        begun = time.monotonic()
        seen = await super()._wait_for_status(who, look, status, round_number)
        self._book.news.append((time.monotonic(), time.monotonic() - begun))
        return seen

    async def walk(self) -> None:
        try:
            await self.scenario.play(self)
            await self.wait_until_applicant_sees(self.scenario.final_status)
        except (ApiError, PropagationTimeout, httpx.TransportError) as problem:
            self.trouble = problem.message if isinstance(problem, ApiError) else str(problem) or repr(problem)

    async def findings(self) -> list[str]:
        """Return the differences between acknowledged commands and the state seen by applicant and staff."""
        if self.trouble or not self.number:
            return [f"{self.number or 'never submitted'} ({self.scenario.name}): {self.trouble}"]
        seen = await self.applicant.track(self.number)
        there = {document["sha256"] for document in seen["documents"]}
        found = [] if self.sent <= there else [f"{self.number}: a document is not the one that was sent"]
        statuses = {"intake": seen["status"], **{name: await self._status(name) for name in STAFF_SEES}}
        return found + [
            f"{self.number}: {name} has {status}, the way ended in {self.scenario.final_status}"
            for name, status in statuses.items()
            if status != self.scenario.final_status
        ]

    async def _status(self, service: Any) -> str:
        who = self.actors.officer if service == "verification" else self.actors.structural
        try:
            return str((await who.request(service, self.id))["status"])
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return "nothing"


@dataclass
class LoadGenerator:
    """Starts a new request at each interval until it is stopped."""

    actors: Actors
    administrator: SimpulClient
    book: CommandJournal
    seed: int
    pause: float
    journeys: list[ObservedJourney] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _walks: list[asyncio.Task[None]] = field(default_factory=list)

    async def come(self) -> None:
        while not self._ended.is_set():
            journey = ObservedJourney(self.actors, len(self.journeys), self.seed, self.book)
            self.journeys.append(journey)
            self._walks.append(asyncio.create_task(journey.walk()))
            await asyncio.sleep(self.pause)

    def end(self) -> None:
        self._ended.set()

    @property
    def on_their_way(self) -> int:
        return sum(not walk.done() for walk in self._walks)

    @property
    def completed(self) -> int:
        """Requests that completed their scenario."""
        return sum(
            walk.done() and not journey.trouble for walk, journey in zip(self._walks, self.journeys, strict=True)
        )

    async def findings(self) -> list[str]:
        room = asyncio.Semaphore(8)

        async def of(journey: ObservedJourney) -> list[str]:
            async with room:
                return await journey.findings()

        return [line for lines in await asyncio.gather(*map(of, self.journeys)) for line in lines]

    async def owed(self) -> dict[str, str]:
        """The status of each email of the ledger by message id."""
        messages: dict[str, str] = {}
        page = await self.administrator.messages(limit=100)
        while True:
            messages |= {item["id"]: item["status"] for item in page["items"]}
            if not page["next"]:
                return messages
            page = await self.administrator.messages(limit=100, after=page["next"])


@asynccontextmanager
async def load_generator(url: str, seed: int, pause: float) -> AsyncIterator[LoadGenerator]:
    """Sign in all actors and record their calls."""
    book = CommandJournal()
    async with open_client(url, connections=CONNECTIONS, retry_policy=RETRY_POLICY) as public:
        actors = await sign_in_actors(public, ACCOUNTS)
        administrator = await public.sign_in("admin", PASSWORD)
        public.http.event_hooks = {"request": [book.note_request], "response": [book.note_response]}
        waiting = replace(
            actors, propagation_timeout_seconds=UPDATE_TIMEOUT_SECONDS, max_delay_seconds=POLL_INTERVAL_SECONDS
        )
        yield LoadGenerator(waiting, administrator, book, seed, pause)
