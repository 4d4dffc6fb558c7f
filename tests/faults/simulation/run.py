"""Run a simulated system for a seed and check its invariants."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tests.faults.simulation.invariants import find_violations
from tests.faults.simulation.simulated_system import Mutate, SimulatedSystem
from tests.support.virtual_time import Deadlock, run_virtually


@dataclass(frozen=True)
class Finding:
    seed: int
    find_violations: list[str]


def simulate(seed: int, mutate: Mutate = lambda runtime: None) -> list[str]:
    """Return the violated invariants of the system with this seed."""
    # Thousands of crashes on purpose would write as many tracebacks.
    logging.disable(logging.CRITICAL)
    try:
        return run_virtually(_run_and_check(SimulatedSystem(seed, mutate)))
    except Deadlock:
        return ["everything stands still"]
    finally:
        logging.disable(logging.NOTSET)


async def _run_and_check(system: SimulatedSystem) -> list[str]:
    try:
        await system.run()
    except TimeoutError:
        return ["it does not come to rest"]
    return await find_violations(system)


def first_failing_seed(seeds: range, mutate: Mutate = lambda runtime: None) -> Finding | None:
    for seed in seeds:
        if found := simulate(seed, mutate):
            return Finding(seed, found)
    return None
