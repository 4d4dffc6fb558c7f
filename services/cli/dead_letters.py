"""`simpul dead-letters`: events that a service could not fold, and those that wait behind them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from services.cli.session import AsJson, Failed, console, print_json, run, services
from shared.runtime.service import Service
from shared.storage.port import DeadLetter
from shared.web.dead_letters import plain

app = typer.Typer(help="Events that could not be folded.", no_args_is_help=True)

LetterId = Annotated[str, typer.Argument(help="The id that `list` shows.")]


@app.command("list")
def list_(service: Annotated[str, typer.Option(help="Only this service.")] = "", as_json: AsJson = False) -> None:
    """List what is parked, in the order in which it would be replayed."""
    letters = [letter for letter in run(_all) if service in ("", letter.service)]
    if as_json:
        print_json([plain(letter) for letter in letters])
        return
    table = Table("id", "request", "parked at", "tries", "reason")
    for letter in letters:
        table.add_row(letter.id, letter.subject, f"{letter.parked_at:%Y-%m-%d %H:%M}", str(letter.tries), letter.reason)
    console.print(table if letters else "No dead letters.")


@app.command()
def show(letter_id: LetterId) -> None:
    """Show one event as it lies in the log, and why it could not be folded."""
    letter = _one(run(_all), letter_id)
    print_json({**plain(letter), "event": letter.event.decode(errors="replace")})


@app.command()
def replay(letter_id: LetterId) -> None:
    """Fold the event's request again: this event, and in order all that waits with it."""
    left = run(lambda: _replay(letter_id))
    if left:
        raise Failed(f"{len(left)} events still cannot be folded: {left[0].reason}")
    console.print("Replayed; nothing of this request is parked any more.")


@app.command()
def discard(letter_id: LetterId, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Give one event up for this service: it counts as seen, and changes nothing there for ever."""
    if not yes:
        typer.confirm("The service will never know of this event. Discard it?", abort=True)
    run(lambda: _discard(letter_id))
    console.print("Discarded; what waited behind it was replayed.")


async def _all() -> list[DeadLetter]:
    async with services() as (_, built):
        return [letter for service in built.values() for letter in await service.runtime.store.dead_letters()]


def _one(letters: list[DeadLetter], letter_id: str) -> DeadLetter:
    for letter in letters:
        if letter.id == letter_id:
            return letter
    raise Failed(f"There is no dead letter {letter_id}.")


async def _find(built: dict[str, Service], letter_id: str) -> tuple[Service, DeadLetter]:
    for service in built.values():
        for letter in await service.runtime.store.dead_letters():
            if letter.id == letter_id:
                return service, letter
    raise Failed(f"There is no dead letter {letter_id}.")


async def _replay(letter_id: str) -> list[DeadLetter]:
    async with services() as (_, built):
        service, letter = await _find(built, letter_id)
        left = await service.runtime.consumer.replay(letter.subject)
        await service.runtime.relay.drain()
        return left


async def _discard(letter_id: str) -> None:
    async with services() as (_, built):
        service, letter = await _find(built, letter_id)
        await service.runtime.consumer.discard(letter)
        await service.runtime.relay.drain()
