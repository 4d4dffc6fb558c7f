"""`simpul dead-letters`: events that a service could not fold, and the later events of the same requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.storage.port import DeadLetter
from simpul.cli.arguments import AsJson, validate_service_name
from simpul.cli.console import console, print_json
from simpul.cli.context import prepared_services, run
from simpul.cli.errors import Failed

if TYPE_CHECKING:
    from shared.runtime.service_runtime import ServiceApp

app = typer.Typer(help="Events that could not be folded.", no_args_is_help=True)

LetterId = Annotated[str, typer.Argument(help="The id that `list` shows.", metavar="ID")]


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Option(help="Only this service.", callback=validate_service_name)] = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters in the order in which they would be replayed."""
    parked = run(lambda: _list_dead_letters(service))
    if as_json:
        print_json([_to_dict(dead_letter) for dead_letter in parked])
        return
    for dead_letter in parked:
        console.print(
            f"{dead_letter.id}  parked {dead_letter.parked_at:%Y-%m-%d %H:%M}, tries {dead_letter.tries}",
            soft_wrap=True,
        )
        console.print(f"    request {dead_letter.subject}: {dead_letter.reason}", soft_wrap=True)
    if not parked:
        console.print("No dead letters.")


@app.command()
def show(letter_id: LetterId) -> None:
    """Show one event as it is stored in the log, and why it could not be folded; as JSON."""
    print_json(run(lambda: _describe(letter_id)))


@app.command()
def replay(letter_id: LetterId) -> None:
    """Fold the dead letters of the event's request again, in order."""
    remaining = run(lambda: _replay_request(letter_id))
    if remaining:
        raise Failed(f"{len(remaining)} events still cannot be folded: {remaining[0].reason}")
    console.print("Replayed; nothing of this request is parked any more.")


@app.command()
def discard(letter_id: LetterId, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Discard one event for this service: it counts as seen and never changes anything there."""
    if not yes:
        typer.confirm("The service will never know of this event. Discard it?", abort=True, err=True)
    run(lambda: _discard_event(letter_id))
    console.print("Discarded; what waited behind it was replayed.")


async def _list_dead_letters(service: str | None) -> list[DeadLetter]:
    async with prepared_services(*filter(None, [service])) as (_, services):
        return [
            dead_letter for service in services.values() for dead_letter in await service.runtime.store.dead_letters()
        ]


async def _describe(letter_id: str) -> dict[str, Any]:
    async with prepared_services() as (_, services):
        _service, dead_letter = await _find(services, letter_id)
    text = dead_letter.event.decode(errors="replace")
    try:
        return {**_to_dict(dead_letter), "event": json.loads(text)}
    except ValueError:
        return {**_to_dict(dead_letter), "event": text}


def _to_dict(dead_letter: DeadLetter) -> dict[str, Any]:
    from shared.web.admin.dead_letter_api import dead_letter_item

    return dead_letter_item(dead_letter)


async def _find(services: dict[str, ServiceApp], letter_id: str) -> tuple[ServiceApp, DeadLetter]:
    for service in services.values():
        for dead_letter in await service.runtime.store.dead_letters():
            if dead_letter.id == letter_id:
                return service, dead_letter
    raise Failed(f"There is no dead letter {letter_id}.")


async def _replay_request(letter_id: str) -> list[DeadLetter]:
    async with prepared_services() as (_, services):
        service, dead_letter = await _find(services, letter_id)
        remaining = await service.runtime.dead_letters.replay(dead_letter.subject)
        await service.runtime.relay.drain()
        return remaining


async def _discard_event(letter_id: str) -> None:
    async with prepared_services() as (_, services):
        service, dead_letter = await _find(services, letter_id)
        await service.runtime.dead_letters.discard(dead_letter)
        await service.runtime.relay.drain()
