"""Initiate a replica set of one server, which retryable writes and change streams need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from shared.storage.port import StoreUnavailable

TIMEOUT_MS = 30_000
NOT_INITIATED = 94


async def initiate_replica_set(uri: str, name: str) -> None:
    """Initiate the replica set of the first server in the URI, by that host name, and wait for its primary.

    Does nothing if it exists. Raises StoreUnavailable.
    """
    try:
        await asyncio.to_thread(_initiate, uri, name)
    except PyMongoError as error:
        raise StoreUnavailable(
            f"the replica set cannot be initiated: {type(error).__name__}: {str(error)[:200]}"
        ) from error


def _initiate(uri: str, name: str) -> None:
    host, port = parse_uri(uri, warn=False)["nodelist"][0]
    # A direct connection, because a client that looks for the replica set would find none.
    with _client(_single_server_uri(uri, f"{host}:{port}"), directConnection=True) as client:
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code != NOT_INITIATED:
                raise
            client.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": f"{host}:{port}"}]})
    with _client(uri) as client:
        client.admin.command("ping")


def _client(uri: str, **options: Any) -> MongoClient[Mapping[str, Any]]:
    return MongoClient(uri, serverSelectionTimeoutMS=TIMEOUT_MS, **options)


def _single_server_uri(uri: str, server: str) -> str:
    """Return the URI with this server only and without the name of a replica set."""
    parts = urlsplit(uri)
    user, at, _ = parts.netloc.rpartition("@")
    options = [pair for pair in parts.query.split("&") if pair and not pair.lower().startswith("replicaset=")]
    return parts._replace(netloc=f"{user}{at}{server}", query="&".join(options)).geturl()
