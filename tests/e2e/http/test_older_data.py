"""A data folder and a backup of version 0.1.0 open in this version."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from simpul.client import RetryPolicy, SimpulClient, open_client
from tests.support.e2e.server_process import ServerProcess

pytestmark = pytest.mark.slow

ARCHIVE = Path(__file__).parent / "fixtures" / "simpul-0.1.0.tar.xz"
"""A data folder with 14 demo requests of all scenarios, and a backup of it, written by version 0.1.0."""
USERNAME, PASSWORD = "arsip", "lima kapal layar merah 42"
REQUESTS = 14


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@contextmanager
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def head(server: ServerProcess):
    async with open_client(server.url, retry_policy=RetryPolicy(timeout_seconds=20)) as anybody:
        yield await anybody.sign_in(USERNAME, PASSWORD)


async def test_a_data_folder_of_version_0_1_0_opens_with_every_request(unpacked: Path):
    server = ServerProcess(unpacked / "data", {})
    with running(server):
        async with head(server) as client:
            shown = await requests_of(client)
            assert len(shown) == REQUESTS
            await documents_are_whole(client, shown)
    assert verified(server) is True


async def test_a_backup_of_version_0_1_0_is_restored(unpacked: Path):
    server = ServerProcess(unpacked / "restored", {})
    restored = server.simpul("restore", str(unpacked / "backup"))
    assert restored.returncode == 0, restored.stderr
    assert verified(server) is True
    with running(server):
        async with head(server) as client:
            assert len(await requests_of(client)) == REQUESTS


async def test_the_states_of_version_0_1_0_are_rebuilt_equal(unpacked: Path):
    server = ServerProcess(unpacked / "data", {})
    with running(server):
        pass
    for service in ("intake", "verification", "assignment", "notification"):
        rebuilt = server.simpul("state", "rebuild", service)
        assert rebuilt.returncode == 0, rebuilt.stderr
    assert verified(server) is True


async def requests_of(client: SimpulClient) -> list[dict[str, Any]]:
    """Return every request in full from the structural head's list."""
    return [await client.request("assignment", item["id"]) async for item in client.all_requests("assignment")]


async def documents_are_whole(client: SimpulClient, requests: list[dict[str, Any]]) -> None:
    for request in requests:
        for document in request["documents"]:
            content = await client.document("assignment", request["id"], document["id"])
            assert hashlib.sha256(content).hexdigest() == document["sha256"]


def verified(server: ServerProcess) -> bool:
    done = server.simpul("events", "verify", "--json")
    return bool(json.loads(done.stdout)["clean"])
