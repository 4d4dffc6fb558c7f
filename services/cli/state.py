"""`simpul state`: fold a service's documents again from the log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from services.cli.session import AsJson, Failed, console, print_json, run, services
from services.wiring import BUILDERS
from shared.runtime.rebuilding import Refold, Report

app = typer.Typer(help="The state documents of a service.", no_args_is_help=True)


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(BUILDERS)}.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold every document from position 0 beside the live state, show the difference, then swap. No e-mail is sent again."""
    if service not in BUILDERS:
        raise typer.BadParameter(f"There is no service {service}; there are {', '.join(BUILDERS)}.")
    report = run(lambda: _rebuild(service, dry_run))
    if as_json:
        print_json(report)
    else:
        _print(report, dry_run)
    if report.behind or report.holes or report.unreadable:
        raise Failed("Not everything could be folded; see above.")


async def _rebuild(name: str, dry_run: bool) -> Report:
    async with services() as (opened, built):
        runtime = built[name].runtime
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task(f"folding {name}", total=None)
            refold = Refold(
                runtime.executor.folding.decider, runtime.store, opened.log, lambda count: progress.advance(task, count)
            )
            report = await refold.compare()
            return report if dry_run else await refold.swap()


def _print(report: Report, dry_run: bool) -> None:
    console.print(f"{report.service}: {report.documents} requests folded from {report.events} events.")
    for difference in report.differences:
        console.print(f"  {difference.id} {difference.kind} {', '.join(difference.fields)}", highlight=False)
    for line in (*report.holes, *report.unreadable, *(f"{request} is behind" for request in report.behind)):
        console.print(f"  {line}", style="red", highlight=False)
    if not report.differences:
        console.print("No difference.")
    elif not dry_run:
        console.print(f"{report.swapped} documents swapped.")
