"""Run the sample requests through the API, several at a time, and collect the results."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from shared.calendar import WIT
from simpul.cli.console import counting_progress_bars
from simpul.cli.errors import Failed
from simpul.client import ApiError, RetryPolicy, SimpulClient, open_client
from simpul.demo.accounts import ACCOUNTS_HINT, Account
from simpul.demo.journey import Actors, Journey, Lead, PropagationTimeout
from simpul.demo.sample_requests import sample_request
from simpul.demo.scenarios import SCENARIOS, Scenario, scenario_for

RETRY_POLICY = RetryPolicy(timeout_seconds=600.0)


@dataclass
class DemoResult:
    """The outcome by scenario: the seconds of every successful request, and the message of every failed one."""

    durations: dict[str, list[float]] = field(default_factory=lambda: {scenario.name: [] for scenario in SCENARIOS})
    errors: dict[str, list[str]] = field(default_factory=lambda: {scenario.name: [] for scenario in SCENARIOS})
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return sum(map(len, self.errors.values()))

    @property
    def done(self) -> int:
        return sum(map(len, self.durations.values()))

    def summary(self) -> dict[str, Any]:
        """The result as JSON; times are in seconds."""
        return {
            "requests": self.done + self.failed,
            "ok": self.done,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.done / self.seconds, 3) if self.seconds else 0.0,
            "paths": {scenario.name: self._scenario_summary(scenario) for scenario in SCENARIOS},
            "errors": [error for errors in self.errors.values() for error in errors],
        }

    def _scenario_summary(self, scenario: Scenario) -> dict[str, Any]:
        durations, errors = self.durations[scenario.name], self.errors[scenario.name]
        median = round(statistics.median(durations), 3) if durations else None
        return {"count": len(durations) + len(errors), "ok": len(durations), "median_seconds": median}


async def run(requests: int, concurrency: int, seed: int, url: str, accounts: Sequence[Account]) -> DemoResult:
    """Run this many requests, at most `concurrency` at a time. Raises Failed, ApiError, httpx.TransportError."""
    result, numbers = DemoResult(), iter(range(requests))
    async with open_client(url, connections=2 * concurrency, retry_policy=RETRY_POLICY) as public:
        actors = await sign_in_actors(public, accounts)
        started_at = time.monotonic()
        with counting_progress_bars() as progress:
            bar = progress.add_task("Requests", total=requests)
            workers = (
                _run_requests(actors, numbers, seed, result, lambda: progress.advance(bar)) for _ in range(concurrency)
            )
            await asyncio.gather(*workers)
        result.seconds = time.monotonic() - started_at
    return result


async def sign_in_actors(public: SimpulClient, accounts: Sequence[Account]) -> Actors:
    """Sign in all accounts. Raises Failed if a role is missing; reassignment needs two technical leads."""
    today = await _today(public)
    signed_in = [(account, await public.sign_in(account["username"], account["password"])) for account in accounts]

    def with_role(role: str) -> list[Lead]:
        return [Lead(account["username"], client) for account, client in signed_in if role in account["roles"]]

    officers, heads, leads = with_role("officer"), with_role("structural"), with_role("technical")
    if not officers or not heads or len(leads) < 2:
        raise Failed(f"Somebody is missing. {ACCOUNTS_HINT}")
    return Actors(public, officers[0].client, heads[0].client, leads, today)


async def _today(public: SimpulClient) -> date:
    """The date at the office by the server's clock. Raises httpx.TransportError if the server does not respond."""
    response = await public.http.get("/health/live")
    return parsedate_to_datetime(response.headers["Date"]).astimezone(WIT).date()


async def _run_requests(
    actors: Actors, numbers: Iterator[int], seed: int, result: DemoResult, advance: Callable[[], None]
) -> None:
    for number in numbers:
        scenario = scenario_for(number)
        journey = Journey(actors, sample_request(seed, number, actors.today))
        started_at = time.monotonic()
        try:
            await scenario.play(journey)
            await journey.wait_until_applicant_sees(scenario.final_status)
            result.durations[scenario.name].append(time.monotonic() - started_at)
        except (ApiError, PropagationTimeout, httpx.TransportError) as error:
            result.errors[scenario.name].append(f"{journey.number or number}: {describe(error)}")
        advance()


def describe(error: Exception) -> str:
    """The message of an error for people."""
    return error.message if isinstance(error, ApiError) else str(error) or type(error).__name__
