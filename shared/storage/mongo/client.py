"""The MongoDB client of a process: the guarantees of each read and write, and the translation of the driver's errors.

No other module imports motor (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from bson import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorCollection
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from shared.storage.port import StoreUnavailable

# motor's classes are generic only in their stubs.
Collection: TypeAlias = "AsyncIOMotorCollection[dict[str, Any]]"
Session: TypeAlias = "AsyncIOMotorClientSession"

Result = TypeVar("Result")
Fields = dict[str, Any]

DEFAULT_DATABASE = "simpul"
TRANSACTION_TIMEOUT_SECONDS = 10.0
MAX_CONCURRENT_CALLS = 8
"""About as many as the driver has threads; other calls wait here, where they can be refused early."""
MAX_PROBES = 2
"""Concurrent calls that may look for an unreachable server; others fail at once."""

# Reads must not see what could still be rolled back, because answers and events follow from them.
_OPTIONS: Fields = {
    "w": "majority",
    "journal": True,
    "wTimeoutMS": 10_000,
    "readConcernLevel": "majority",
    "retryWrites": True,
    "retryReads": True,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 3_000,
    "socketTimeoutMS": 15_000,
    "waitQueueTimeoutMS": 5_000,
    "heartbeatFrequencyMS": 5_000,
    "maxPoolSize": 50,
    "appname": "simpul",
}
# Errors of the server's state and not of the request: unreachable, locked, no primary, shutting down, full, access denied.
_TRANSIENT_CODES = frozenset(
    {6, 7, 9001, 89, 384, 13, 18, 24, 46, 50, 112, 202, 262, 290, 43, 237, 234, 64, 79, 100, 133, 134, 225, 251}
).union({10107, 13435, 13436, 189, 91, 11600, 11601, 11602, 14031})
_NAMESPACE_EXISTS = 48
_COMPRESSED = {"wiredTiger": {"configString": "block_compressor=zstd"}}
_UNREACHABLE = (ConnectionFailure, ExecutionTimeout, WriteConcernError)


class MongoDatabase:
    """The database of a URI, for all stores of this process; constructed without I/O.

    Writes are acknowledged by the majority and from the journal; StoreUnavailable means that their outcome is unknown.
    """

    def __init__(self, uri: str, name: str = "") -> None:
        self._client: AsyncIOMotorClient[Fields] = AsyncIOMotorClient(uri, **_OPTIONS)
        self._database = self._client[name or self._client.get_default_database(DEFAULT_DATABASE).name]
        self._last_outage, self._active_probes = "", 0
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._shared_by_name: dict[str, Any] = {}

    def collection(self, name: str) -> Collection:
        return self._database[name]

    async def create_collection(self, name: str) -> None:
        """Create a collection whose blocks are compressed with zstd; does nothing if it exists."""
        async with self.operation():
            try:
                await self._database.command("create", name, storageEngine=_COMPRESSED)
            except OperationFailure as error:
                if error.code != _NAMESPACE_EXISTS:
                    raise

    def shared(self, name: str, make: Callable[[], Result]) -> Result:
        """Return the object that all stores of this process share under this name; the first call makes it."""
        if name not in self._shared_by_name:
            self._shared_by_name[name] = make()
        shared: Result = self._shared_by_name[name]
        return shared

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Call this when the client is closed."""
        self._closers.append(closer)

    @contextlib.asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Wrap a call of the driver, never nested: limit concurrency and translate errors. Raises StoreUnavailable.

        While no server is found, few calls look for it and all others fail at once.
        """
        async with self._semaphore:
            if self._active_probes >= MAX_PROBES and self._is_unreachable():
                raise StoreUnavailable(self._last_outage)
            self._active_probes += 1
            try:
                with translate_errors():
                    yield
            except StoreUnavailable as error:
                if isinstance(error.__cause__, ConnectionFailure):
                    self._last_outage = str(error)
                raise
            else:
                self._last_outage = ""
            finally:
                self._active_probes -= 1

    def _is_unreachable(self) -> bool:
        """Whether a call failed without a primary, and none was found since."""
        return bool(self._last_outage) and not self._client.topology_description.has_writable_server()  # type: ignore[attr-defined]

    async def time(self) -> Timestamp:
        """Return the cluster's logical time; no later write has an earlier one."""
        async with self.operation():
            answer = await self._database.command("ping")
        time: Timestamp = answer["operationTime"]
        return time

    async def run_transaction(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction, repeatedly if it conflicts with another; an exception rolls it back."""
        async with self.operation():
            try:
                async with (
                    asyncio.timeout(TRANSACTION_TIMEOUT_SECONDS),
                    await self._client.start_session() as session,
                ):
                    return await session.with_transaction(work)  # type: ignore[arg-type]
            except TimeoutError as error:
                raise StoreUnavailable(
                    f"a transaction did not end within {TRANSACTION_TIMEOUT_SECONDS:.0f} s"
                ) from error

    async def drop(self) -> None:
        """Drop the database."""
        async with self.operation():
            await self._client.drop_database(self._database.name)

    async def close(self) -> None:
        """Stop the background tasks and close all connections."""
        for closer in self._closers:
            await closer()
        self._closers.clear()
        self._client.close()


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the driver's transient errors as StoreUnavailable."""
    try:
        yield
    except PyMongoError as error:
        if not is_transient(error):
            raise
        raise StoreUnavailable(_short_message(error)) from error


def is_transient(error: PyMongoError) -> bool:
    """Return whether an error may disappear with time, as opposed to an error of the request."""
    if isinstance(error, _UNREACHABLE) or error.timeout:
        return True
    if isinstance(error, OperationFailure):
        return is_transient_code(error.code)
    return isinstance(error, InvalidOperation) and "after close" in str(error)


def is_transient_code(code: int | None) -> bool:
    return code in _TRANSIENT_CODES


def _short_message(error: PyMongoError) -> str:
    """Return the message without the description of the topology that the driver appends."""
    return f"{type(error).__name__}: {str(error).partition(', Timeout:')[0][:300]}"
