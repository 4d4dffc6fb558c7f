"""`simpul events`: look into the log, and prove that it is whole and that the states follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from services.cli.session import AsJson, Failed, console, platform, print_json, run, services
from shared.contracts.envelope import from_bytes
from shared.contracts.registry import Unreadable
from shared.documents.audit import audit
from shared.eventlog.port import Record
from shared.platform import Platform
from shared.runtime.rebuilding import Refold, Report
from shared.storage.port import DeadLetter

app = typer.Typer(help="Look into the event log and verify it.", no_args_is_help=True)


@app.command()
def tail(
    count: Annotated[int, typer.Option("--count", "-n", help="How many of the newest to show first.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events arrive.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest events, and with --follow those to come."""
    run(lambda: _tail(count, follow, as_json))


async def _tail(count: int, follow: bool, as_json: bool) -> None:
    async with platform() as opened:
        newest: list[Record] = []
        position = ""
        async for batch in opened.log.read():
            newest = [*newest, *batch][-count:] if count else []
            position = batch[-1].position
        _show(newest, as_json)
        while follow:
            async for batch in opened.log.read(position):
                _show(batch, as_json)
                position = batch[-1].position
            await asyncio.sleep(0.5)


@app.command()
def show(
    number: Annotated[str, typer.Argument(help="A registration number or a request's id.")], as_json: AsJson = False
) -> None:
    """Show every event of one request."""
    run(lambda: _show_request(number, as_json))


async def _show_request(number: str, as_json: bool) -> None:
    async with services() as (opened, built):
        intake = built["intake"].runtime.executor
        kept = await intake.find_one("number", number.upper()) or await intake.read(number)
        if kept is None:
            raise Failed(f"There is no request {number}.")
        records = [record async for batch in opened.log.read() for record in batch if record.key == kept.id]
        _show(records, as_json)


def _show(records: Sequence[Record], as_json: bool) -> None:
    for record in records:
        if as_json:
            print(record.value.decode(errors="replace"))
        else:
            console.print(_line(record), highlight=False, soft_wrap=True)


def _line(record: Record) -> str:
    try:
        event = from_bytes(record.value)
    except Unreadable as error:
        return f"{record.position:>8}  unreadable: {error}"
    return f"{record.position:>8}  {event.time:%Y-%m-%d %H:%M:%S}  {event.subject}  {event.source}/{event.sequence}  {event.type}"


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that sequences have no holes, that every state is the fold of the log, and that every document is whole."""
    reports, trouble = run(_verify)
    if as_json:
        print_json({"clean": not trouble, "services": [_plain(report) for report in reports], "trouble": trouble})
    else:
        _print(reports, trouble)
    if trouble:
        raise typer.Exit(1)


async def _verify() -> tuple[list[Report], list[str]]:
    reports: list[Report] = []
    trouble: list[str] = []
    async with services() as (opened, built):
        with Progress(console=console, transient=True) as progress:
            for name, service in built.items():
                runtime = service.runtime
                count = partial(progress.advance, progress.add_task(name, total=None))
                refold = Refold(runtime.executor.folding.decider, runtime.store, opened.log, count)
                report = await refold.compare()
                reports.append(report)
                trouble += _trouble(report) + _parked(await runtime.store.dead_letters())
        trouble += await _documents(opened)
    return reports, trouble


def _parked(letters: Sequence[DeadLetter]) -> list[str]:
    return [f"{letter.service}: dead letter {letter.id}: {letter.reason}" for letter in letters]


async def _documents(opened: Platform) -> list[str]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("documents", total=None)
        return await audit(opened.log, opened.documents, lambda: progress.advance(task))


def _trouble(report: Report) -> list[str]:
    lines = [f"{report.service}: {d.id} is {d.kind} {', '.join(d.fields)}".rstrip() for d in report.differences]
    lines += [f"{report.service}: hole at {hole}" for hole in report.holes]
    lines += [f"{report.service}: unreadable at {place}" for place in report.unreadable]
    return lines + [
        f"{report.service}: {request_id} has events that are not in the log yet" for request_id in report.behind
    ]


def _plain(report: Report) -> dict[str, object]:
    return {"service": report.service, "events": report.events, "documents": report.documents, "clean": report.clean}


def _print(reports: Sequence[Report], trouble: Sequence[str]) -> None:
    table = Table("service", "events read", "requests", "clean")
    for report in reports:
        table.add_row(report.service, str(report.events), str(report.documents), "yes" if report.clean else "NO")
    console.print(table)
    for line in trouble:
        console.print(line, style="red", highlight=False, soft_wrap=True)
    console.print("Everything is as the log says." if not trouble else f"{len(trouble)} findings.")
