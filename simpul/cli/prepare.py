"""`simpul prepare`: make everything that the services expect to find, before they start; harmless when repeated."""

from __future__ import annotations

from typing import Annotated

import typer

from simpul.cli.context import console, current_settings, run, services


def prepare(
    replica_set: Annotated[
        str,
        typer.Option(
            help="Also make MongoDB's replica set of this name, of the one server in SIMPUL_MONGO.", metavar="NAME"
        ),
    ] = "",
) -> None:
    """Make the topic, the collections with their indexes, and the bucket; in embedded mode, the file."""
    settings = current_settings()
    if replica_set and settings.distributed:
        from shared.backends.distributed import mongo_uri
        from shared.storage.mongo.replica_set import initiate_replica_set

        run(lambda: initiate_replica_set(mongo_uri(settings), replica_set))
        console.print(f"MongoDB's replica set {replica_set} is there.")
    run(_prepare)
    console.print("Prepared.")


async def _prepare() -> None:
    async with services(fresh=True) as (opened, _):
        await opened.half.prepare()
