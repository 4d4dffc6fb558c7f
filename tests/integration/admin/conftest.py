"""Notification with a mail server that answers by a script, for the tests of the ledger; other modules have their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.adapters.scripted_smtp import ScriptedSmtp
from tests.support.services.services_harness import services_harness, smtp_to
from tests.support.services.staff_harness import StaffHarness


@pytest.fixture
async def harness(tmp_path: Path, server: ScriptedSmtp) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "notification", smtp=smtp_to(server)) as opened:
        yield opened
