"""`simpul prepare`: create what the services need, before they start; idempotent."""

from __future__ import annotations

from typing import Annotated

import typer

from simpul.cli.console import console
from simpul.cli.context import current_settings, prepared_services, run


def prepare(
    replica_set: Annotated[
        str,
        typer.Option(
            help="Also create MongoDB's replica set of this name, with the one server in SIMPUL_MONGO.", metavar="NAME"
        ),
    ] = "",
) -> None:
    """Create the topic, the collections with their indexes, and the bucket; in embedded mode, the database file."""
    settings = current_settings()
    if replica_set and settings.distributed:
        from shared.backends.distributed import mongo_uri
        from shared.storage.mongo.replica_set import initiate_replica_set

        run(lambda: initiate_replica_set(mongo_uri(settings), replica_set))
        console.print(f"MongoDB's replica set {replica_set} is there.")
    run(_prepare_services)
    console.print("Prepared.")


async def _prepare_services() -> None:
    async with prepared_services(create=True) as (platform, _):
        await platform.backend.prepare()
