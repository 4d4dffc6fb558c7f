"""`simpul documents`: maintenance of the stored documents."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from simpul.cli.arguments import AsJson
from simpul.cli.console import console, print_json
from simpul.cli.context import prepared_services, run
from simpul.cli.errors import Failed

app = typer.Typer(help="Stored documents.", no_args_is_help=True)


@app.callback()
def documents() -> None:
    """Stored documents."""


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove documents older than a day that no event names, as the services do every six hours.

    Refused while the log or a store does not respond, or while an event that may name a document cannot be read.
    """
    orphans, unfinished = run(lambda: _run_sweep(dry_run))
    if as_json:
        print_json({"orphans": orphans, "unfinished": unfinished, "removed": not dry_run})
    elif dry_run:
        console.print(f"{orphans} documents would be removed.")
    else:
        console.print(f"{orphans} documents and {unfinished} broken uploads removed.")


async def _run_sweep(dry_run: bool) -> tuple[int, int]:
    from shared.documents.orphan_sweep import sweep_orphans
    from shared.documents.references import ReferencesUnknown, referenced_keys

    async with prepared_services() as (platform, services):
        referenced = partial(
            referenced_keys, log=platform.log, stores=[service.runtime.store for service in services.values()]
        )
        try:
            swept = await sweep_orphans(platform.documents, referenced, platform.clock(), remove=not dry_run)
        except ReferencesUnknown as error:
            raise Failed(f"Nothing was removed. {error}") from error
    return swept.orphans, swept.unfinished
