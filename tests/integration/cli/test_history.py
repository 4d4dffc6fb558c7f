"""`simpul demo --history`: a folder full of past requests, which the services then go on with."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.verification.projections import requests_query
from shared.backends.platform import open_platform
from shared.clock import system_clock
from shared.settings import Settings
from shared.storage.port import RecordQuery
from simpul.registry import build_services
from tests.support.services.cli_harness import CommandLine, assert_fails_with_message

pytestmark = pytest.mark.slow


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


async def test_the_folder_is_sound_and_the_services_go_on_with_it(command_line: CommandLine):
    written = command_line.simpul("demo", "--history", "1")
    assert written.returncode == 0, written.stderr
    assert "Staff accounts, shown only now" in written.stdout
    assert "no email was sent" in written.stdout
    verified = json.loads(command_line.simpul("events", "verify", "--json").stdout)
    assert (verified["clean"], verified["trouble"]) == (True, [])
    [count] = {service["documents"] for service in verified["services"]}
    assert 60 <= count <= 300
    assert not (command_line.data / "mail").exists()
    refused = command_line.simpul("demo", "--history", "1")
    assert_fails_with_message(refused, "There are requests in", "empty folder")

    later = system_clock() + timedelta(days=60)
    platform = open_platform(Settings(data=command_line.data), lambda: later)
    services = {service.name: service for service in build_services(platform)}
    for service in services.values():
        await service.start()
    try:
        listed = await services["verification"].runtime.executor.find(requests_query(status="submitted", limit=100))
        assert listed.items
        intake = services["intake"].runtime.executor

        waiting = RecordQuery("submitted_at", where={"status": ("returned", "delivered")})
        async with asyncio.timeout(60):
            while await intake.count(waiting):  # noqa: ASYNC110 - nothing tells a test when a timer has run
                await asyncio.sleep(0.05)
    finally:
        for service in services.values():
            await service.stop()
        await platform.close()
