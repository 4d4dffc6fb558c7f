"""`simpul dead-letters`: events that a service could not fold, and those that wait behind them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.names import known_service
from services.cli.session import AsJson, Failed, console, print_json, run, services
from shared.storage.port import DeadLetter

if TYPE_CHECKING:
    from shared.runtime.service import Service

app = typer.Typer(help="Events that could not be folded.", no_args_is_help=True)

LetterId = Annotated[str, typer.Argument(help="The id that `list` shows.", metavar="ID")]


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Option(help="Only this service.", callback=known_service)] = None,
    as_json: AsJson = False,
) -> None:
    """List what is parked, in the order in which it would be replayed."""
    letters = run(lambda: _all(service))
    if as_json:
        print_json([_plain(letter) for letter in letters])
        return
    for letter in letters:
        console.print(f"{letter.id}  parked {letter.parked_at:%Y-%m-%d %H:%M}, tries {letter.tries}", soft_wrap=True)
        console.print(f"    request {letter.subject}: {letter.reason}", soft_wrap=True)
    if not letters:
        console.print("No dead letters.")


@app.command()
def show(letter_id: LetterId) -> None:
    """Show one event as it lies in the log, and why it could not be folded; as JSON."""
    print_json(run(lambda: _shown(letter_id)))


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
        typer.confirm("The service will never know of this event. Discard it?", abort=True, err=True)
    run(lambda: _discard(letter_id))
    console.print("Discarded; what waited behind it was replayed.")


async def _all(service: str | None) -> list[DeadLetter]:
    async with services(*filter(None, [service])) as (_, built):
        return [letter for each in built.values() for letter in await each.runtime.store.dead_letters()]


async def _shown(letter_id: str) -> dict[str, Any]:
    async with services() as (_, built):
        _service, letter = await _find(built, letter_id)
    text = letter.event.decode(errors="replace")
    try:
        return {**_plain(letter), "event": json.loads(text)}
    except ValueError:
        return {**_plain(letter), "event": text}


def _plain(letter: DeadLetter) -> dict[str, Any]:
    from shared.web.dead_letters import plain

    return plain(letter)


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
