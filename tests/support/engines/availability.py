"""Deselects tests whose engines are unavailable.

A test names its engines with `pytest.mark.engines("kafka", "mongo", "minio", "versitygw")`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.support.engines import kafka, minio, mongo, versitygw
from tests.support.engines.engine_process import EngineUnavailable, required

ENGINES = {"kafka": kafka, "mongo": mongo, "minio": minio, "versitygw": versitygw}
SETTINGS = {
    "kafka": "SIMPUL_KAFKA",
    "mongo": "SIMPUL_MONGO",
    "minio": "SIMPUL_MINIO",
    "versitygw": "SIMPUL_TEST_VERSITYGW",
}
"""The environment variable that names a running engine."""


def unavailable(names: Iterable[str]) -> dict[str, str]:
    """Return the unavailable engines among these, each with the reason in one sentence."""
    reasons = {}
    for name in names:
        try:
            if SETTINGS[name] not in os.environ:
                ENGINES[name].find()
        except EngineUnavailable as reason:
            reasons[name] = str(reason)
    return reasons


def engines_of(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("engines") for name in mark.args]


def deselect(config: pytest.Config, items: list[pytest.Item]) -> dict[str, tuple[int, str]]:
    """Deselect the tests whose engines are unavailable; return count and reason by the first missing engine.

    Where engines are required the tests stay, and fail.
    """
    if required():
        return {}
    reasons = unavailable({name for item in items for name in engines_of(item)})
    missing = {item: [name for name in engines_of(item) if name in reasons] for item in items}
    if dropped := [item for item in items if missing[item]]:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if not missing[item]]
    counts = Counter(missing[item][0] for item in dropped)
    return {name: (count, reasons[name]) for name, count in counts.items()}


def summary_lines(deselected: dict[str, tuple[int, str]]) -> list[str]:
    """One line for each engine."""
    return [f"{count} tests deselected: {reason}" for count, reason in deselected.values()]
