"""`simpul demo`: realistic requests through the real HTTP API, on happy and unhappy paths, and a summary."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simpul.cli import context
from simpul.cli.context import AsJson, Failed, console, current_settings, errors, print_json
from simpul.client import ApiError, RetryPolicy, SimpulClient, open_client
from simpul.demo.accounts import ACCOUNTS_HINT, Account, MakeAccounts, create_or_prompt_accounts, load_accounts
from simpul.demo.journey import Actors, Journey, Lead, PropagationTimeout
from simpul.demo.sample_requests import sample_request
from simpul.demo.scenarios import SCENARIOS, Path, scenario_for

EASTERN_INDONESIA_TIME = timezone(timedelta(hours=9), "WIT")
RETRY_POLICY = RetryPolicy(seconds=600.0)
MAX_SHOWN_ERRORS = 10


@dataclass
class DemoResult:
    """What became of every path: seconds taken by those that went well, and the sentence of each that did not."""

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
        """The tally for programs; times are in seconds."""
        return {
            "requests": self.done + self.failed,
            "ok": self.done,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.done / self.seconds, 3) if self.seconds else 0.0,
            "paths": {scenario.name: self._scenario_summary(scenario) for scenario in SCENARIOS},
            "errors": [error for errors in self.errors.values() for error in errors],
        }

    def _scenario_summary(self, scenario: Path) -> dict[str, Any]:
        durations, errors = self.durations[scenario.name], self.errors[scenario.name]
        median = round(statistics.median(durations), 3) if durations else None
        return {"count": len(durations) + len(errors), "ok": len(durations), "median_seconds": median}


def demo_command(make_accounts: MakeAccounts | None = None) -> Callable[..., None]:
    """The command for typer; `make_accounts` says who plays when no file does."""

    def demo(
        requests: Annotated[int, typer.Option(min=1, help="How many requests.")] = 30,
        concurrency: Annotated[int, typer.Option(min=1, help="How many of them at once.")] = 8,
        seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 1,
        url: Annotated[str, typer.Option(help="Where Simpul is served; default: as the settings say.")] = "",
        accounts: Annotated[
            FilePath | None,
            typer.Option(envvar="SIMPUL_DEMO_ACCOUNTS", help="JSON file with staff: [{username, password, roles}]."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Take realistic requests through the HTTP API, on happy and unhappy paths, and leave some open."""
        address = url.rstrip("/") or current_settings().origin
        try:
            staff = _resolve_accounts(address, accounts, make_accounts)
            result = context.run(lambda: run(requests, concurrency, seed, address, staff))
        except (ApiError, httpx.TransportError) as problem:
            raise Failed(f"The demo cannot begin at {address}: {_describe(problem)}") from problem
        print_json(result.summary()) if as_json else show(result)
        raise typer.Exit(1 if result.failed else 0)

    return demo


demo = demo_command()


def _resolve_accounts(url: str, file: FilePath | None, make_accounts: MakeAccounts | None) -> Sequence[Account]:
    if file is not None:
        return load_accounts(file)
    return make_accounts() if make_accounts else create_or_prompt_accounts(url)


async def run(requests: int, concurrency: int, seed: int, url: str, accounts: Sequence[Account]) -> DemoResult:
    """Take the requests through, at most `concurrency` at a time. Raises Failed, ApiError, httpx.TransportError."""
    result, numbers = DemoResult(), iter(range(requests))
    async with open_client(url, connections=2 * concurrency, retry_policy=RETRY_POLICY) as public:
        actors = await sign_in_actors(public, accounts)
        started = time.monotonic()
        with _progress() as progress:
            bar = progress.add_task("Requests", total=requests)
            workers = (
                _run_requests(actors, numbers, seed, result, lambda: progress.advance(bar)) for _ in range(concurrency)
            )
            await asyncio.gather(*workers)
        result.seconds = time.monotonic() - started
    return result


async def sign_in_actors(public: SimpulClient, accounts: Sequence[Account]) -> Actors:
    """Everybody signed in. Raises Failed if a role is missing; moves between leads need two of them."""
    today = await _today(public)
    signed_in_accounts = [(each, await public.signed_in(each["username"], each["password"])) for each in accounts]

    def clients_with_role(role: str) -> list[Lead]:
        return [Lead(account["username"], client) for account, client in signed_in_accounts if role in account["roles"]]

    officers, heads, leads = (
        clients_with_role("officer"),
        clients_with_role("structural"),
        clients_with_role("technical"),
    )
    if not officers or not heads or len(leads) < 2:
        raise Failed(f"Somebody is missing. {ACCOUNTS_HINT}")
    return Actors(public, officers[0].client, heads[0].client, leads, today)


async def _today(public: SimpulClient) -> date:
    """The day at the office, by the server's clock: ours may be wrong. Also finds at once that no server is there."""
    response = await public.http.get("/health/live")
    return parsedate_to_datetime(response.headers["Date"]).astimezone(EASTERN_INDONESIA_TIME).date()


async def _run_requests(
    actors: Actors, numbers: Iterator[int], seed: int, result: DemoResult, advance: Callable[[], None]
) -> None:
    for number in numbers:
        scenario = scenario_for(number)
        journey = Journey(actors, sample_request(seed, number, actors.today))
        started_at = time.monotonic()
        try:
            await scenario.walk(journey)
            await journey.wait_until_applicant_sees(scenario.final_status)
            result.durations[scenario.name].append(time.monotonic() - started_at)
        except (ApiError, PropagationTimeout, httpx.TransportError) as problem:
            result.errors[scenario.name].append(f"{journey.number or number}: {_describe(problem)}")
        advance()


def _describe(problem: Exception) -> str:
    return problem.message if isinstance(problem, ApiError) else str(problem) or type(problem).__name__


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors)


def show(result: DemoResult) -> None:
    """The tally for people."""
    summary = result.summary()
    table = Table("path", "count", "ok", "median", box=None)
    for scenario in SCENARIOS:
        row = summary["paths"][scenario.name]
        if row["count"]:
            median = "-" if row["median_seconds"] is None else f"{row['median_seconds']:.2f} s"
            table.add_row(scenario.label, str(row["count"]), str(row["ok"]), median)
    console.print(table)
    console.print(f"{result.done} requests in {result.seconds:.1f} s, {summary['per_second']:.1f} a second.")
    for error in summary["errors"][:MAX_SHOWN_ERRORS]:
        console.print(f"failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    if result.failed > MAX_SHOWN_ERRORS:
        console.print(f"... and {result.failed - MAX_SHOWN_ERRORS} more.")
