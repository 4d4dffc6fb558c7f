from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.e2e.server_process import Inbox, ServerProcess, smtp_server
from tests.support.e2e.server_session import ServerHarness, running_server


@pytest.fixture
def inbox_and_server(tmp_path: Path) -> Iterator[tuple[Inbox, ServerProcess]]:
    """A server with staff accounts and a real SMTP server."""
    with smtp_server() as (inbox, smtp), running_server(tmp_path, SIMPUL_SMTP=smtp) as harness:
        yield inbox, harness.server


@pytest.fixture(scope="module")
def simpul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server per module with all staff signed in."""
    with running_server(tmp_path_factory.mktemp("gate")) as opened:
        yield opened
