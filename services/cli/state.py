"""`simpul state`: fold a service's documents again from the log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.names import ServiceName
from services.cli.session import AsJson, Failed, bars, console, print_json, run, services

if TYPE_CHECKING:
    from shared.runtime.rebuilding import Report

app = typer.Typer(help="The state documents of a service.", no_args_is_help=True)

SHOWN = 20
LONGEST = 60


@app.callback()
def state() -> None:
    """The state documents of a service."""


@app.command()
def rebuild(
    service: ServiceName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold every document from position 0 beside the live state, show the difference, then swap. No e-mail is sent again."""
    report = run(lambda: _rebuild(service, dry_run))
    if as_json:
        print_json({**asdict(report), "clean": report.clean})
    else:
        _print(report, dry_run)
    if report.behind or report.holes or report.unreadable:
        raise Failed(f"Not everything of {service} could be folded: `simpul events verify` says what.")


async def _rebuild(name: str, dry_run: bool) -> Report:
    from shared.runtime.rebuilding import Refold

    async with services(name) as (opened, built):
        runtime = built[name].runtime
        with bars() as progress:
            task = progress.add_task(f"folding {name}", total=None)
            refold = Refold(
                runtime.executor.folding.decider, runtime.store, opened.log, lambda count: progress.advance(task, count)
            )
            report = await refold.compare()
            return report if dry_run else await refold.swap()


def _print(report: Report, dry_run: bool) -> None:
    console.print(f"{report.service}: {report.documents} requests folded from {report.events} events.")
    for difference in report.differences[:SHOWN]:
        console.print(f"{difference.id} is {difference.kind}", soft_wrap=True)
        for change in difference.changes:
            console.print(f"    {change.field}: {_short(change.stored)} -> {_short(change.folded)}", soft_wrap=True)
    if len(report.differences) > SHOWN:
        console.print(f"... and {len(report.differences) - SHOWN} more; --json lists all of them.")
    for line in (*report.holes, *report.unreadable, *(f"{request} is behind" for request in report.behind)):
        console.print(line, style="red", soft_wrap=True)
    if not report.differences:
        console.print("No difference.")
    elif dry_run:
        console.print(f"{len(report.differences)} documents differ; nothing was changed.")
    else:
        console.print(f"{report.swapped} of {len(report.differences)} documents swapped.")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
