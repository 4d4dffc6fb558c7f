"""Hooks of the whole suite: deselection of tests without their engines, and garbage collection."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.support.engines import availability

DESELECTED = pytest.StashKey[dict[str, tuple[int, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[DESELECTED] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[DESELECTED].update(availability.deselect(config, items))


def pytest_collection_finish() -> None:
    """Exempt what was collected, which stays to the end, from garbage collection: that took a tenth of the time."""
    gc.collect()
    gc.freeze()
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
