"""The one MongoDB client of a process: what every read and write asks of the server, and its errors as the ports know them.

Nothing else imports motor (docs/decisions/0015).
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

# motor's classes take parameters in their stubs alone.
Collection: TypeAlias = "AsyncIOMotorCollection[dict[str, Any]]"
Session: TypeAlias = "AsyncIOMotorClientSession"

Result = TypeVar("Result")
Fields = dict[str, Any]

DEFAULT_DATABASE = "simpul"
TRANSACTION_SECONDS = 10.0
MAX_CONCURRENT_CALLS = 8
"""Calls in hand at once, about as many as the driver has threads: the others wait here, where they can be told."""
MAX_PROBES = 2
"""Callers at once that may look for a server that was not found; all others are told at once that it is away."""

# Reads see nothing that could still be rolled back: what is answered, skipped or published because of it must stay true.
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
# Server errors that lie in its state and not in what was asked: unreachable, locked, no primary, going down, full, not let in.
_TRANSIENT_CODES = frozenset(
    {6, 7, 9001, 89, 384, 13, 18, 24, 46, 50, 112, 202, 262, 290, 43, 237, 234, 64, 79, 100, 133, 134, 225, 251}
).union({10107, 13435, 13436, 189, 91, 11600, 11601, 11602, 14031})
_UNREACHABLE = (ConnectionFailure, ExecutionTimeout, WriteConcernError)


class MongoDatabase:
    """The database that a URI names, for all stores of this process; made without I/O.

    Writes are acknowledged by the majority and from the journal, or StoreUnavailable says that their outcome is not known.
    """

    def __init__(self, uri: str, name: str = "") -> None:
        self._client: AsyncIOMotorClient[Fields] = AsyncIOMotorClient(uri, **_OPTIONS)
        self._database = self._client[name or self._client.get_default_database(DEFAULT_DATABASE).name]
        self._last_outage, self._active_probes = "", 0
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._shared: dict[str, Any] = {}

    def collection(self, name: str) -> Collection:
        return self._database[name]

    def shared(self, name: str, make: Callable[[], Result]) -> Result:
        """What all stores of this process share under this name, made when it is first asked for."""
        if name not in self._shared:
            self._shared[name] = make()
        found: Result = self._shared[name]
        return found

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        self._closers.append(closer)

    @contextlib.asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Around every call of the driver, never one inside another: raises StoreUnavailable for what lies in the server or on
        the way to it. While no server is found, few look for it, and all others are told so at once.
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
        """Whether a call failed for want of a primary, and none was found since."""
        return bool(self._last_outage) and not self._client.topology_description.has_writable_server()  # type: ignore[attr-defined]

    async def time(self) -> Timestamp:
        """The cluster's logical time now: no later write is dated before it."""
        async with self.operation():
            answer = await self._database.command("ping")
        time: Timestamp = answer["operationTime"]
        return time

    async def run_transaction(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Run `work` in one transaction, again and again if it meets another; what it raises undoes it."""
        async with self.operation():
            try:
                async with (
                    asyncio.timeout(TRANSACTION_SECONDS),
                    await self._client.start_session() as session,
                ):
                    return await session.with_transaction(work)  # type: ignore[arg-type]
            except TimeoutError as error:
                raise StoreUnavailable(f"no end of a transaction in {TRANSACTION_SECONDS:.0f} s") from error

    async def drop(self) -> None:
        """Remove everything; for tests and for beginning again."""
        async with self.operation():
            await self._client.drop_database(self._database.name)

    async def close(self) -> None:
        """End what runs in the background, and every connection."""
        for closer in self._closers:
            await closer()
        self._closers.clear()
        self._client.close()


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """The driver's errors as StoreUnavailable, if it is not the question that is wrong."""
    try:
        yield
    except PyMongoError as error:
        if not is_transient(error):
            raise
        raise StoreUnavailable(_short_message(error)) from error


def is_transient(error: PyMongoError) -> bool:
    """Whether an error means: wait and try again."""
    if isinstance(error, _UNREACHABLE) or error.timeout:
        return True
    if isinstance(error, OperationFailure):
        return is_transient_code(error.code)
    return isinstance(error, InvalidOperation) and "after close" in str(error)


def is_transient_code(code: int | None) -> bool:
    return code in _TRANSIENT_CODES


def _short_message(error: PyMongoError) -> str:
    """Without the description of the topology that the driver adds."""
    return f"{type(error).__name__}: {str(error).partition(', Timeout:')[0][:300]}"
