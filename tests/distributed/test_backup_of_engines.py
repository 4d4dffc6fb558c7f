"""The drill over engines: a backup of running services, and everything there again in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.client import Patience, connected
from services.cli.shapes import Submitted
from tests.distributed.growing_ground import Growing, empty, simpul
from tests.distributed.site import Site
from tests.faults.load import FORM, LETTER, PAPERS
from tests.journeys.stage import Server, smtp_server

__all__ = ["empty"]

pytestmark = pytest.mark.slow


@pytest.fixture
def serving_site(empty: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    with smtp_server() as (_, smtp):
        site = Site(tmp_path / "site", {"SIMPUL_SMTP": smtp, **empty})
        site.prepare()
        site.add_staff()
        try:
            site.start()
            yield site
        finally:
            site.stop()


async def submitted_meanwhile(site: Site, stop: asyncio.Event, answers: list[Submitted]) -> None:
    async with connected(site.url, patience=Patience(seconds=20)) as client:
        while not stop.is_set():
            answers.append(await client.submit(FORM, LETTER, PAPERS))


async def test_a_backup_of_running_services_holds_what_was_acknowledged_before(
    serving_site: Site, empty: dict[str, str], tmp_path: Path
):
    stop, backup = asyncio.Event(), tmp_path / "backup"
    answers: list[Submitted] = []
    submitting = asyncio.create_task(submitted_meanwhile(serving_site, stop, answers))
    while len(answers) < 5:  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.05)
    acknowledged = list(answers)
    done = await asyncio.to_thread(serving_site.simpul, "backup", str(backup))
    assert done.returncode == 0, done.stderr
    stop.set()
    await submitting
    assert len(answers) > len(acknowledged)
    again = Growing(tmp_path / "again", {})
    for words in (("restore", str(backup)), ("events", "verify", "--json")):
        done = await asyncio.to_thread(simpul, again.here, *words)
        assert done.returncode == 0, done.stderr + done.stdout
    await _tracked(again.data, acknowledged)


async def _tracked(data: Path, acknowledged: list[Submitted]) -> None:
    server = Server(data, {})
    await asyncio.to_thread(server.start)
    try:
        async with connected(server.url, patience=Patience(seconds=20)) as client:
            for answer in acknowledged:
                seen = await client.holding(answer["tracking_token"]).track(answer["number"])
                assert seen["status"] == "submitted"
    finally:
        await asyncio.to_thread(server.stop)
