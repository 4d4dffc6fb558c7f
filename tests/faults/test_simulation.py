"""The invariants hold for SIMPUL_SEEDS seeds, and the simulation finds each mutant within the seeds that every run tries.

`SIMPUL_SEEDS=10000 make test ARGS=tests/faults/test_simulation.py` tries more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from shared.eventlog.port import LogRecord
from shared.runtime.service_runtime import ServiceRuntime
from tests.faults.simulation.mutants import MUTANTS
from tests.faults.simulation.run import first_failing_seed
from tests.faults.simulation.simulated_system import SimulatedSystem
from tests.support.virtual_time import run_virtually

SEEDS = int(os.environ.get("SIMPUL_SEEDS", "400"))
PART = 50
MOST_TRIES = 400


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_the_invariants_hold_whatever_crashes_repeats_or_gets_lost(first: int):
    assert first_failing_seed(range(first, first + PART)) is None


def test_the_invariants_hold_in_a_few_simulations():
    assert first_failing_seed(range(1_000_000, 1_000_020)) is None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulation_detects_a_runtime_that(mutant: Callable[[ServiceRuntime[Any]], None]):
    assert first_failing_seed(range(MOST_TRIES), mutant) is not None


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_a_simulation_is_reproducible(seed: int):
    assert log_of(seed) == log_of(seed)


def log_of(seed: int) -> list[LogRecord]:
    system = SimulatedSystem(seed)
    run_virtually(system.run())
    return system.tape.records
