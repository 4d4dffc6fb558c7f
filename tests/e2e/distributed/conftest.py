from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser.browser_sessions import SiteUnderTest
from tests.support.browser.fixtures import browser, sessions
from tests.support.distributed.deployment import Deployment, Engines, engines
from tests.support.distributed.deployment_session import DeploymentHarness
from tests.support.e2e.server_process import Inbox, ServerProcess, smtp_server
from tests.support.e2e.server_session import ServerHarness, open_client
from tests.support.engines.engine_process import EngineUnavailable, skip

__all__ = ["browser", "sessions"]


@pytest.fixture(scope="session")
def real_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    try:
        with engines(tmp_path_factory.mktemp("engines")) as started:
            yield started
    except EngineUnavailable as reason:
        skip(reason)


@pytest.fixture(scope="module")
def deployment(real_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inbox, Deployment]]:
    """Two processes of each service with staff accounts and a real SMTP server."""
    with smtp_server() as (inbox, smtp):
        made = Deployment(tmp_path_factory.mktemp("site") / "data", {"SIMPUL_SMTP": smtp, **real_engines.settings})
        made.prepare()
        made.add_staff()
        try:
            made.start()
            yield inbox, made
        finally:
            made.stop()


@pytest.fixture
def inbox_and_server(deployment: tuple[Inbox, Deployment]) -> tuple[Inbox, ServerProcess]:
    inbox, server = deployment
    inbox.messages.clear()
    return inbox, server


@pytest.fixture(scope="module")
def simpul(deployment: tuple[Inbox, Deployment]) -> Iterator[ServerHarness]:
    """The deployment for tests of a single server."""
    with open_client(deployment[1]) as http:
        yield DeploymentHarness(deployment[1], http)


@pytest.fixture(scope="module")
def site(deployment: tuple[Inbox, Deployment], simpul: ServerHarness) -> SiteUnderTest:
    """The deployment for browser tests."""
    return SiteUnderTest(simpul, deployment[0])
