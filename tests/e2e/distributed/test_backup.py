"""A backup of running distributed services is restored into a data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpul.client import RetryPolicy, open_client
from simpul.client_types import SubmissionResult
from tests.support.distributed.deployment import Deployment
from tests.support.distributed.migration_harness import MigrationHarness, empty, simpul
from tests.support.e2e.server_process import ServerProcess, smtp_server
from tests.support.sample_submission import FORM, LETTER, PAPERS

__all__ = ["empty"]

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]


@pytest.fixture
def serving_site(empty: dict[str, str], tmp_path: Path) -> Iterator[Deployment]:
    with smtp_server() as (_, smtp):
        deployment = Deployment(tmp_path / "site", {"SIMPUL_SMTP": smtp, **empty})
        deployment.prepare()
        deployment.add_staff()
        try:
            deployment.start()
            yield deployment
        finally:
            deployment.stop()


async def submitted_meanwhile(deployment: Deployment, stop: asyncio.Event, answers: list[SubmissionResult]) -> None:
    async with open_client(deployment.url, retry_policy=RetryPolicy(timeout_seconds=20)) as client:
        while not stop.is_set():
            answers.append(await client.submit(FORM, LETTER, PAPERS))


async def test_a_backup_of_running_services_holds_what_was_acknowledged_before(
    serving_site: Deployment, empty: dict[str, str], tmp_path: Path
):
    stop, backup = asyncio.Event(), tmp_path / "backup"
    answers: list[SubmissionResult] = []
    submitting = asyncio.create_task(submitted_meanwhile(serving_site, stop, answers))
    while len(answers) < 5:  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.05)
    acknowledged = list(answers)
    done = await asyncio.to_thread(serving_site.simpul, "backup", str(backup))
    assert done.returncode == 0, done.stderr
    stop.set()
    await submitting
    assert len(answers) > len(acknowledged)
    again = MigrationHarness(tmp_path / "again", {})
    for words in (("restore", str(backup)), ("events", "verify", "--json")):
        done = await asyncio.to_thread(simpul, again.embedded_environment, *words)
        assert done.returncode == 0, done.stderr + done.stdout
    await _tracked(again.data, acknowledged)


async def _tracked(data: Path, acknowledged: list[SubmissionResult]) -> None:
    server = ServerProcess(data, {})
    await asyncio.to_thread(server.start)
    try:
        async with open_client(server.url, retry_policy=RetryPolicy(timeout_seconds=20)) as client:
            for answer in acknowledged:
                seen = await client.with_token(answer["tracking_token"]).track(answer["number"])
                assert seen["status"] == "submitted"
    finally:
        await asyncio.to_thread(server.stop)
