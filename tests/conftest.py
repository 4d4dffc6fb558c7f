"""Hooks of the whole suite: which tests run, in which order, and which may be tried again."""

from __future__ import annotations

import gc
from typing import Any

import hypothesis
import pytest

from tests.support.engines import availability

DESELECTED = pytest.StashKey[dict[str, tuple[int, str]]]()

SLOWEST_FIRST = (
    "tests/e2e/browser/test_staff_pages_accessible.py",
    "tests/e2e/browser/test_public_pages_accessible.py",
    "tests/faults/",
    "tests/e2e/distributed/test_migration_to_engines.py",
    "tests/e2e/distributed/test_secured_engines.py",
    "tests/integration/cli/test_interrupts.py",
    "tests/e2e/",
    "tests/integration/cli/",
    "tests/adapters/",
    "tests/integration/",
)
"""Begun in this order, so that no worker is left alone at the end with a file of minutes."""

hypothesis.settings.register_profile("simpul", deadline=None)  # a busy machine makes any example slow
hypothesis.settings.register_profile("check", deadline=None, max_examples=25)  # of `make check`
hypothesis.settings.load_profile("simpul")

RERUN_ONCE = ("tests/e2e/browser/", "tests/e2e/distributed/")
"""Tests of whole processes and a browser, where a busy machine can break a time-out. The summary names each rerun."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[DESELECTED] = {}
    gc.disable()  # until everything is collected: it took a tenth of that time


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[DESELECTED].update(availability.deselect(config, items))
    if config.pluginmanager.has_plugin("rerunfailures"):
        for item in items:
            if item.nodeid.startswith(RERUN_ONCE):
                item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    places = [place for place, prefix in enumerate(SLOWEST_FIRST) if item.nodeid.startswith(prefix)]
    return min(places, default=len(SLOWEST_FIRST))


def pytest_collection_finish() -> None:
    """Exempt what was collected, which stays to the end, from garbage collection: that took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = session.config.stash[DESELECTED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist deselected; all of them deselect the same tests."""
    node.config.stash[DESELECTED].update(getattr(node, "workeroutput", {}).get("deselected", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in availability.summary_lines(config.stash[DESELECTED]):
        terminalreporter.write_line(line)
