"""`simpul events`: read the log, and verify that it is complete and that the states follow from it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from shared.contracts.envelope import decode_event
from shared.contracts.registry import UnreadableEvent
from shared.eventlog.port import EventLog, LogRecord
from shared.interrupts import Interrupted, clear_interrupt
from shared.storage.port import DeadLetter
from simpul.cli.arguments import AsJson
from simpul.cli.console import console, make_table, print_json, print_line, progress_bars
from simpul.cli.context import prepared_platform, prepared_services, run
from simpul.cli.errors import Failed

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from shared.runtime.rebuild import RebuildReport

app = typer.Typer(help="Look into the event log and verify it.", no_args_is_help=True)

POLL_INTERVAL_SECONDS = 0.5


@app.command()
def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="How many of the newest to show first.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events arrive; Ctrl-C ends it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest events, and with --follow new ones as they arrive. As JSON: one event per line."""
    try:
        run(lambda: _print_newest(count, follow, as_json))
    except Interrupted as interrupted:
        if not follow or interrupted.number != signal.SIGINT:
            raise
        clear_interrupt()  # Ctrl-C is the usual end of --follow.


async def _print_newest(count: int, follow: bool, as_json: bool) -> None:
    async with prepared_platform() as platform:
        end = await platform.log.end()
        newest = await platform.log.read_newest(count)
        _print_records(newest, as_json)
        if not (newest or follow or as_json or end):
            console.print("No events yet.")
        if follow:
            await _follow(platform.log, end, {record.position for record in newest}, as_json)


async def _follow(log: EventLog, end: str, shown: set[str], as_json: bool) -> None:
    """Show the events after this end of the log, except those that were shown already."""
    while True:
        if (now := await log.end()) != end:
            async for batch in log.read(end, now):
                _print_records([record for record in batch if record.position not in shown], as_json)
            end = now
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


@app.command()
def show(
    number: Annotated[str, typer.Argument(help="A registration number or a request's id.")], as_json: AsJson = False
) -> None:
    """Show every event of one request. As JSON: one event per line."""
    run(lambda: _show_request(number.strip(), as_json))


async def _show_request(number: str, as_json: bool) -> None:
    async with prepared_services("intake") as (platform, services):
        loaded = await services["intake"].runtime.executor.find_one("number", number.upper())
        records = await platform.log.read_key(loaded.id if loaded else number.lower())
        if not records:
            raise Failed(f"There is no event of a request {number}.")
        _print_records(records, as_json)


def _print_records(records: Sequence[LogRecord], as_json: bool) -> None:
    for record in records:
        if as_json:
            print_line(_json_line(record))
        else:
            console.print(_line(record), soft_wrap=True)


def _json_line(record: LogRecord) -> str:
    """The event as it is stored in the log; if that is not JSON, an object with its position and text."""
    text = record.value.decode(errors="replace")
    try:
        json.loads(text)
        return " ".join(text.splitlines())
    except ValueError:
        return json.dumps({"position": record.position, "unreadable": text})


def _line(record: LogRecord) -> str:
    try:
        event = decode_event(record.value)
    except UnreadableEvent as error:
        return f"{record.position:>8}  unreadable: {str(error)!r}"
    return f"{record.position:>8}  {event.time:%Y-%m-%d %H:%M:%S}  {event.subject}  {event.source}/{event.sequence}  {event.type}"


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that sequences have no gaps, that every state is the fold of the log, and that no document or entry is damaged."""
    reports, findings = run(_collect_findings)
    if as_json:
        print_json({"clean": not findings, "services": [_to_dict(report) for report in reports], "trouble": findings})
    else:
        _print(reports, findings)
    if findings:
        raise Failed("There is 1 finding." if len(findings) == 1 else f"There are {len(findings)} findings.")


async def _collect_findings() -> tuple[list[RebuildReport], list[str]]:
    from shared.runtime.rebuild import Rebuild

    reports: list[RebuildReport] = []
    findings: list[str] = []
    async with prepared_services() as (platform, services):
        if damage := await platform.backend.check(True):
            raise Failed(f"The database is damaged, restore a backup: {damage[0]}.")
        with progress_bars() as progress:
            for name, service in services.items():
                runtime = service.runtime
                count = partial(progress.advance, progress.add_task(name, total=None))
                rebuild = Rebuild(runtime.executor.decider, runtime.store, platform.log, count)
                report = await rebuild.compare()
                reports.append(report)
                findings += _report_findings(report) + _dead_letter_findings(await runtime.store.dead_letters())
        findings += await _audit_documents(platform)
        findings += [f"office: {key} is unreadable" for key in await platform.office.unreadable_entries()]
    return reports, findings


def _dead_letter_findings(dead_letters: Sequence[DeadLetter]) -> list[str]:
    return [
        f"{dead_letter.service}: dead letter {dead_letter.id}: {dead_letter.reason}" for dead_letter in dead_letters
    ]


async def _audit_documents(platform: Platform) -> list[str]:
    from shared.documents.audit import audit

    with progress_bars() as progress:
        task = progress.add_task("documents", total=None)
        return await audit(platform.log, platform.documents, lambda: progress.advance(task))


def _report_findings(report: RebuildReport) -> list[str]:
    lines = [f"{report.service}: {d.id} is {d.kind} {', '.join(d.fields)}".rstrip() for d in report.differences]
    lines += [f"{report.service}: hole at {gap}" for gap in report.gaps]
    lines += [f"{report.service}: unreadable at {place}" for place in report.unreadable]
    return lines + [
        f"{report.service}: {request_id} has events that are not in the log yet" for request_id in report.behind
    ]


def _to_dict(report: RebuildReport) -> dict[str, object]:
    return {"service": report.service, "events": report.events, "documents": report.documents, "clean": report.clean}


def _print(reports: Sequence[RebuildReport], findings: Sequence[str]) -> None:
    rows = [(r.service, str(r.events), str(r.documents), "yes" if r.clean else "NO") for r in reports]
    console.print(make_table("service", "events read", "requests", "clean", rows=rows))
    for line in findings:
        console.print(line, style="red", soft_wrap=True)
    if not findings:
        console.print("Everything is as the log says.")
