"""`simpul state`: rebuild the records of a service from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simpul.cli.arguments import AsJson, ServiceName
from simpul.cli.console import console, print_json, progress_bars
from simpul.cli.context import prepared_services, run
from simpul.cli.errors import Failed

if TYPE_CHECKING:
    from shared.runtime.rebuild import Difference, RebuildReport

app = typer.Typer(help="The state documents of a service.", no_args_is_help=True)

MAX_SHOWN_DIFFERENCES = 20
MAX_VALUE_CHARS = 60


@app.callback()
def state() -> None:
    """The state documents of a service."""


@app.command()
def rebuild(
    service: ServiceName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold every record from position 0 beside the live state, show the difference, then swap. No email is sent again."""
    report = run(lambda: _run_rebuild(service, dry_run))
    if as_json:
        print_json(_to_dict(report))
    else:
        _print(report, dry_run)
    if report.behind or report.gaps or report.unreadable:
        raise Failed(f"Not everything of {service} could be folded: `simpul events verify` says what.")


async def _run_rebuild(name: str, dry_run: bool) -> RebuildReport:
    from shared.runtime.rebuild import Rebuild

    async with prepared_services(name) as (platform, services):
        runtime = services[name].runtime
        with progress_bars() as progress:
            task = progress.add_task(f"folding {name}", total=None)
            refold = Rebuild(
                runtime.executor.decider,
                runtime.store,
                platform.log,
                lambda count: progress.advance(task, count),
            )
            report = await refold.compare()
            return report if dry_run else await refold.swap()


def _to_dict(report: RebuildReport) -> dict[str, object]:
    return {
        "service": report.service,
        "events": report.events,
        "documents": report.documents,
        "differences": [_difference_to_dict(difference) for difference in report.differences],
        "holes": report.gaps,
        "unreadable": report.unreadable,
        "behind": report.behind,
        "swapped": report.swapped,
        "clean": report.clean,
    }


def _difference_to_dict(difference: Difference) -> dict[str, object]:
    changes = [
        {"field": change.field, "stored": change.stored, "folded": change.folded} for change in difference.changes
    ]
    return {"id": difference.id, "kind": difference.kind, "changes": changes}


def _print(report: RebuildReport, dry_run: bool) -> None:
    console.print(f"{report.service}: {report.documents} requests folded from {report.events} events.")
    for difference in report.differences[:MAX_SHOWN_DIFFERENCES]:
        console.print(f"{difference.id} is {difference.kind}", soft_wrap=True)
        for change in difference.changes:
            console.print(f"    {change.field}: {_shorten(change.stored)} -> {_shorten(change.folded)}", soft_wrap=True)
    if len(report.differences) > MAX_SHOWN_DIFFERENCES:
        console.print(f"... and {len(report.differences) - MAX_SHOWN_DIFFERENCES} more; --json lists all of them.")
    for line in (*report.gaps, *report.unreadable, *(f"{request} is behind" for request in report.behind)):
        console.print(line, style="red", soft_wrap=True)
    if not report.differences:
        console.print("No difference.")
    elif dry_run:
        console.print(f"{len(report.differences)} documents differ; nothing was changed.")
    else:
        console.print(f"{report.swapped} of {len(report.differences)} documents swapped.")


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 3] + "..."
