from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.visitors import browser, visits
from tests.browser.visits import House
from tests.distributed.gate_of_site import GateOfSite
from tests.distributed.site import Engines, Site, engines
from tests.engines.engine import Unavailable, skip
from tests.journeys.gate import Gate, asked_of
from tests.journeys.stage import Inbox, Server, smtp_server

__all__ = ["browser", "visits"]


@pytest.fixture(scope="session")
def real_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    try:
        with engines(tmp_path_factory.mktemp("engines")) as started:
            yield started
    except Unavailable as reason:
        skip(reason)


@pytest.fixture(scope="module")
def site(real_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inbox, Site]]:
    """Two processes of each service with staff accounts, whose e-mails go to a real SMTP server."""
    with smtp_server() as (inbox, smtp):
        made = Site(tmp_path_factory.mktemp("site") / "data", {"SIMPUL_SMTP": smtp, **real_engines.settings})
        made.prepare()
        made.add_staff()
        try:
            made.start()
            yield inbox, made
        finally:
            made.stop()


@pytest.fixture
def inbox_and_server(site: tuple[Inbox, Site]) -> tuple[Inbox, Server]:
    inbox, server = site
    inbox.messages.clear()
    return inbox, server


@pytest.fixture(scope="module")
def simpul(site: tuple[Inbox, Site]) -> Iterator[Gate]:
    """For the journeys that know one server."""
    with asked_of(site[1]) as http:
        yield GateOfSite(site[1], http)


@pytest.fixture(scope="module")
def house(site: tuple[Inbox, Site], simpul: Gate) -> House:
    """For the journeys through pages."""
    return House(simpul, site[0])
