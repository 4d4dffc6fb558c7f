"""A backup of running services is restored after the loss of the data folder."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simpul.client import RetryPolicy, open_client
from simpul.client_types import SubmissionResult
from tests.support.e2e.server_process import ServerProcess, address_of
from tests.support.sample_submission import FORM, LETTER, PAPERS

pytestmark = pytest.mark.slow


async def submitted_meanwhile(server: ServerProcess, stop: asyncio.Event, answers: list[SubmissionResult]) -> None:
    async with open_client(server.url, retry_policy=RetryPolicy(timeout_seconds=20)) as client:
        while not stop.is_set():
            answers.append(await client.submit(FORM, LETTER, PAPERS))


async def simpul(server: ServerProcess, *words: str) -> Any:
    return await asyncio.to_thread(server.simpul, *words)


async def test_a_backup_of_running_services_is_restored_completely(tmp_path: Path):
    server, backup = ServerProcess(tmp_path / "data", {}), tmp_path / "backup"
    server.start()
    stop = asyncio.Event()
    answers: list[SubmissionResult] = []
    try:
        submitting = asyncio.create_task(submitted_meanwhile(server, stop, answers))
        while len(answers) < 5:  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)
        acknowledged = list(answers)
        done = await simpul(server, "backup", str(backup))
        assert done.returncode == 0, done.stderr
        stop.set()
        await submitting
        assert len(answers) > len(acknowledged)
        refused = await simpul(server, "restore", str(backup))
        assert refused.returncode == 1
        assert "running" in refused.stderr
    finally:
        server.stop()
    shutil.rmtree(server.data)
    restored = server.simpul("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    # What was saved and not yet published when the copy was made is published at the first start.
    server.start()
    try:
        await assert_tracked(server, acknowledged)
    finally:
        server.stop()
    verified = server.simpul("events", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["clean"] is True


async def assert_tracked(server: ServerProcess, acknowledged: list[SubmissionResult]) -> None:
    """Expect every request acknowledged before the backup, by its tracking token."""
    async with open_client(server.url, retry_policy=RetryPolicy(timeout_seconds=20)) as client:
        for answer in acknowledged:
            seen = await client.with_token(answer["tracking_token"]).track(answer["number"])
            assert seen["status"] == "submitted"


async def test_an_email_that_is_being_written_is_left_out_of_a_backup(tmp_path: Path):
    server, backup = ServerProcess(tmp_path / "data", {}), tmp_path / "backup"
    words = ["--name", "Nurlaila Ibarat", "--email", address_of("nurlaila"), "--role", "officer"]
    assert server.simpul("staff", "add", "nurlaila", *words).returncode == 0
    (server.data / "mail").mkdir()
    (server.data / "mail" / "whole.eml").write_text("Yth.")
    # As it is for whoever listed the folder before the letter got its own name.
    (server.data / "mail" / "other.eml.part").symlink_to(server.data / "mail" / "gone")
    done = server.simpul("backup", str(backup))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (backup / "mail").iterdir()] == ["whole.eml"]


async def test_a_restore_does_not_overwrite_existing_data(tmp_path: Path):
    server, backup = ServerProcess(tmp_path / "data", {}), tmp_path / "backup"
    words = ["--name", "Nurlaila Ibarat", "--email", address_of("nurlaila"), "--role", "officer"]
    assert server.simpul("staff", "add", "nurlaila", *words).returncode == 0
    assert server.simpul("backup", str(backup)).returncode == 0
    refused = server.simpul("restore", str(backup))
    assert refused.returncode == 1
    assert "holds data already" in refused.stderr
