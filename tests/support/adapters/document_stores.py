"""The implementations of the document store, each with a location of its own whose files can be aged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from shared.documents.folder import FolderDocumentStore
from shared.documents.minio import PART_BYTES, MinioDocumentStore
from shared.documents.port import DocumentStore
from shared.documents.s3_address import S3Address, parse_s3_url
from tests.support.engines import minio, versitygw
from tests.support.engines.engine_process import EngineUnavailable, skip

AGE = timedelta(hours=25)
"""The age given to files: more than the day for which the sweep keeps unreferenced documents."""


class StoreLocation(Protocol):
    @property
    def store(self) -> DocumentStore: ...

    async def prepare(self) -> None: ...

    async def close(self) -> None: ...

    def age_everything(self) -> datetime:
        """Return a time at which everything stored so far is older than a day, and later files are not."""
        ...

    def abort_upload(self) -> None:
        """Leave the remains of an upload whose process was killed."""
        ...


def new_keys() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"document-{next(numbers):04d}"


class FolderLocation:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FolderDocumentStore(folder, new_keys())

    async def prepare(self) -> None: ...

    async def close(self) -> None: ...

    def age_everything(self) -> datetime:
        now = datetime.now(UTC)
        for path in files_under(self.folder):
            os.utime(path, times=((now - AGE).timestamp(),) * 2)
        return now

    def abort_upload(self) -> None:
        shelf = self.folder / "-x"
        shelf.mkdir(parents=True)
        (shelf / "document-x.part").write_bytes(b"setengah")


class S3Location:
    def __init__(self, address: S3Address) -> None:
        self.address = address
        self.store: MinioDocumentStore = MinioDocumentStore(address, new_keys())

    async def prepare(self) -> None:
        await self.store.prepare()
        await self.store.prepare()

    async def close(self) -> None:
        await self.store.close()

    def age_everything(self) -> datetime:
        # Nobody can set the time of an object, and some servers tell it in whole seconds: the next second parts old and new.
        boundary = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        time.sleep((boundary - datetime.now(UTC)).total_seconds() + 0.05)  # a file system's clock runs a tick behind
        return boundary + timedelta(hours=24)

    def abort_upload(self) -> None:
        client, bucket = self.store._client, self.address.bucket
        upload = client._create_multipart_upload(bucket, "document-x", {})
        client._upload_part(bucket, "document-x", b"x" * PART_BYTES, None, upload, 1)


STARTED_BY = {"minio": minio.running, "versitygw": versitygw.running}


class S3Servers:
    """The S3 servers of a test run, started on first use and stopped at the end."""

    def __init__(self, folder: Path, open_until_end: ExitStack) -> None:
        self._folder, self._open = folder, open_until_end
        self._addresses: dict[str, str | EngineUnavailable] = {}

    def new_bucket(self, name: str) -> S3Address:
        """Return a new bucket name. Raises EngineUnavailable."""
        if name not in self._addresses:
            try:
                self._addresses[name] = self._open.enter_context(STARTED_BY[name](self._folder / name))
            except EngineUnavailable as reason:
                self._addresses[name] = reason
        found = self._addresses[name]
        if isinstance(found, EngineUnavailable):
            raise found
        return parse_s3_url(urlsplit(found)._replace(path=f"/test-{uuid4().hex[:20]}").geturl())


@pytest.fixture(scope="session")
def s3_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Servers]:
    with ExitStack() as open_until_end:
        yield S3Servers(tmp_path_factory.mktemp("s3"), open_until_end)


LOCATIONS = [
    "folder",
    *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.engines(name)]) for name in STARTED_BY),
]


@pytest.fixture(params=LOCATIONS)
def unprepared_location(request: pytest.FixtureRequest, tmp_path: Path, s3_servers: S3Servers) -> StoreLocation:
    if request.param == "folder":
        return FolderLocation(tmp_path / "documents")
    try:
        return S3Location(s3_servers.new_bucket(request.param))
    except EngineUnavailable as reason:
        skip(reason)


@pytest.fixture(params=LOCATIONS[1:])
def bucket(request: pytest.FixtureRequest, s3_servers: S3Servers) -> S3Address:
    """A bucket that does not exist yet, for tests of S3 alone."""
    try:
        return s3_servers.new_bucket(request.param)
    except EngineUnavailable as reason:
        skip(reason)


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
