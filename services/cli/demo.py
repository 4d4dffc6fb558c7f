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

from services.cli import session
from services.cli.client import ApiError, Patience, SimpulClient, connected
from services.cli.demo_cases import case
from services.cli.demo_journey import Company, Journey, Lead, StillWaiting
from services.cli.demo_paths import ALL, Path, path_of
from services.cli.demo_staff import WAYS, Account, MakeAccounts, accounts_at_hand, accounts_from
from services.cli.session import AsJson, Failed, console, errors, print_json, settings_in_force

WIT = timezone(timedelta(hours=9), "WIT")
PATIENCE = Patience(seconds=600.0)
SHOWN_ERRORS = 10


@dataclass
class Tally:
    """What became of every path: seconds taken by those that went well, and the sentence of each that did not."""

    took: dict[str, list[float]] = field(default_factory=lambda: {path.name: [] for path in ALL})
    errors: dict[str, list[str]] = field(default_factory=lambda: {path.name: [] for path in ALL})
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return sum(map(len, self.errors.values()))

    @property
    def done(self) -> int:
        return sum(map(len, self.took.values()))

    def told(self) -> dict[str, Any]:
        """The tally for programs; times are in seconds."""
        return {
            "requests": self.done + self.failed,
            "ok": self.done,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.done / self.seconds, 3) if self.seconds else 0.0,
            "paths": {path.name: self._path(path) for path in ALL},
            "errors": [error for errors in self.errors.values() for error in errors],
        }

    def _path(self, path: Path) -> dict[str, Any]:
        took, errors = self.took[path.name], self.errors[path.name]
        median = round(statistics.median(took), 3) if took else None
        return {"count": len(took) + len(errors), "ok": len(took), "median_seconds": median}


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
        address = url.rstrip("/") or settings_in_force().origin
        try:
            staff = _staff(address, accounts, make_accounts)
            tally = session.run(lambda: run(requests, concurrency, seed, address, staff))
        except (ApiError, httpx.TransportError) as problem:
            raise Failed(f"The demo cannot begin at {address}: {_sentence(problem)}") from problem
        print_json(tally.told()) if as_json else show(tally)
        raise typer.Exit(1 if tally.failed else 0)

    return demo


demo = demo_command()


def _staff(url: str, file: FilePath | None, make_accounts: MakeAccounts | None) -> Sequence[Account]:
    if file is not None:
        return accounts_from(file)
    return make_accounts() if make_accounts else accounts_at_hand(url)


async def run(requests: int, concurrency: int, seed: int, url: str, accounts: Sequence[Account]) -> Tally:
    """Take the requests through, at most `concurrency` at a time. Raises Failed, ApiError, httpx.TransportError."""
    tally, numbers = Tally(), iter(range(requests))
    async with connected(url, connections=2 * concurrency, patience=PATIENCE) as public:
        company = await gathered(public, accounts)
        started = time.monotonic()
        with _progress() as progress:
            bar = progress.add_task("Requests", total=requests)
            workers = (_work(company, numbers, seed, tally, lambda: progress.advance(bar)) for _ in range(concurrency))
            await asyncio.gather(*workers)
        tally.seconds = time.monotonic() - started
    return tally


async def gathered(public: SimpulClient, accounts: Sequence[Account]) -> Company:
    """Everybody signed in. Raises Failed if a role is missing; moves between leads need two of them."""
    today = await _today(public)
    signed = [(each, await public.signed_in(each["username"], each["password"])) for each in accounts]

    def having(role: str) -> list[Lead]:
        return [Lead(account["username"], client) for account, client in signed if role in account["roles"]]

    officers, heads, leads = having("officer"), having("structural"), having("technical")
    if not officers or not heads or len(leads) < 2:
        raise Failed(f"Somebody is missing. {WAYS}")
    return Company(public, officers[0].client, heads[0].client, leads, today)


async def _today(public: SimpulClient) -> date:
    """The day at the office, by the server's clock: ours may be wrong. Also finds at once that no server is there."""
    response = await public.http.get("/health/live")
    return parsedate_to_datetime(response.headers["Date"]).astimezone(WIT).date()


async def _work(company: Company, numbers: Iterator[int], seed: int, tally: Tally, advance: Callable[[], None]) -> None:
    for number in numbers:
        path = path_of(number)
        journey = Journey(company, case(seed, number, company.today))
        begun = time.monotonic()
        try:
            await path.walk(journey)
            await journey.seen_by_applicant(path.ends)
            tally.took[path.name].append(time.monotonic() - begun)
        except (ApiError, StillWaiting, httpx.TransportError) as problem:
            tally.errors[path.name].append(f"{journey.number or number}: {_sentence(problem)}")
        advance()


def _sentence(problem: Exception) -> str:
    return problem.sentence if isinstance(problem, ApiError) else str(problem) or type(problem).__name__


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors)


def show(tally: Tally) -> None:
    """The tally for people."""
    told = tally.told()
    table = Table("path", "count", "ok", "median", box=None)
    for path in ALL:
        row = told["paths"][path.name]
        if row["count"]:
            median = "-" if row["median_seconds"] is None else f"{row['median_seconds']:.2f} s"
            table.add_row(path.label, str(row["count"]), str(row["ok"]), median)
    console.print(table)
    console.print(f"{tally.done} requests in {tally.seconds:.1f} s, {told['per_second']:.1f} a second.")
    for error in told["errors"][:SHOWN_ERRORS]:
        console.print(f"failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    if tally.failed > SHOWN_ERRORS:
        console.print(f"... and {tally.failed - SHOWN_ERRORS} more.")
