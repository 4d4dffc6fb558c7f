"""`simpul demo`: take sample requests through the real API, in successful and unsuccessful scenarios, and print a summary."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.table import Table

from simpul.cli.arguments import AsJson
from simpul.cli.console import console, print_json
from simpul.cli.context import current_settings
from simpul.cli.context import run as run_command
from simpul.cli.errors import Failed
from simpul.client import ApiError
from simpul.demo.accounts import create_or_prompt_accounts, load_accounts
from simpul.demo.runner import DemoResult, describe, run
from simpul.demo.scenarios import SCENARIOS

MAX_SHOWN_ERRORS = 10


def demo(
    requests: Annotated[int, typer.Option(min=1, help="How many requests.")] = 30,
    concurrency: Annotated[int, typer.Option(min=1, help="How many of them at once.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 1,
    url: Annotated[str, typer.Option(help="Where Simpul is served; default: as the settings say.")] = "",
    accounts: Annotated[
        Path | None,
        typer.Option(envvar="SIMPUL_DEMO_ACCOUNTS", help="JSON file with staff: [{username, password, roles}]."),
    ] = None,
    history: Annotated[
        int,
        typer.Option(min=0, max=120, metavar="MONTHS", help="Instead, fill an empty data folder with past requests."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Take sample requests through the HTTP API, in successful and unsuccessful scenarios, and leave some open."""
    if history:
        write_history(history, seed, as_json)
        return
    address = url.rstrip("/") or current_settings().origin
    try:
        staff = load_accounts(accounts) if accounts else create_or_prompt_accounts(address)
        result = run_command(lambda: run(requests, concurrency, seed, address, staff))
    except (ApiError, httpx.TransportError) as error:
        raise Failed(f"The demo cannot begin at {address}: {describe(error)}") from error
    print_json(result.summary()) if as_json else show(result)
    raise typer.Exit(1 if result.failed else 0)


def write_history(months: int, seed: int, as_json: bool) -> None:
    """Fill the data folder with the requests of so many months; the server must not run."""
    # The services take a second to import.
    from simpul.demo.history import fill_history

    started_at = time.monotonic()
    statuses = run_command(lambda: fill_history(months, seed))
    if as_json:
        print_json({"requests": statuses.total(), "statuses": statuses})
        return
    for status, count in statuses.most_common():
        console.print(f"{status:<12} {count:>6}")
    console.print(f"{statuses.total()} requests of {months} months, in {time.monotonic() - started_at:.0f} s.")
    console.print("Start Simpul to look at them; no email was sent for them.")


def show(result: DemoResult) -> None:
    """Print the result for people."""
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
