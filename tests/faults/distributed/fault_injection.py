"""The faults of a run: which process or engine is killed or stopped, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from simpul.registry import SERVICE_NAMES
from tests.support.distributed.deployment import Deployment, Engines, ServiceProcess
from tests.support.engines.engine_process import EngineProcess as Engine

DOWN = 20.0
"""Seconds until a killed process is restarted."""

NEAR = 5.0
"""Seconds around a fault within which a repeated delivery is attributed to it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject and to repair; `parts` are the unavailable services and engines."""

    name: str
    parts: tuple[str, ...]
    seconds: float
    begin: Callable[[], object]
    end: Callable[[], object]


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """A fault that took place: the monotonic times of injection, of repair and of the end of observation."""

    name: str
    parts: tuple[str, ...]
    begun: float
    mended: float
    watched: float

    def excuses_repeat(self, delivered: float) -> bool:
        """Whether the outcome of a delivery at this time could be lost, because its sender or its ledger was down."""
        if not {"notification", "mongo"} & set(self.parts):
            return False
        return self.begun - NEAR <= delivered <= self.mended + NEAR


def killed(processes: Sequence[ServiceProcess], name: str, seconds: float) -> Fault:
    """Kill these processes at once with SIGKILL."""

    def kill() -> None:
        for process in processes:
            process.kill()

    def start() -> None:
        for process in processes:
            process.start()
        with ThreadPoolExecutor() as threads:
            list(threads.map(ServiceProcess.wait, processes))

    return Fault(name, tuple({process.service for process in processes}), seconds, kill, start)


def engine_killed(name: str, engine: Engine, seconds: float) -> Fault:
    return Fault(f"kill -9 of {name}", (name,), seconds, engine.kill, engine.start)


def engine_stopped(name: str, engine: Engine, seconds: float) -> Fault:
    return Fault(f"{name} stopped for {seconds:.0f} s", (name,), seconds, engine.stop, engine.start)


def all_faults(deployment: Deployment, engines: Engines, stopped: float) -> list[Fault]:
    """One process of each service, then all; each engine; finally a longer outage of the log."""
    faults = []
    for name in SERVICE_NAMES:
        all_of_it = deployment.of(name)
        faults.append(killed(all_of_it[:1], f"kill -9 of one of {len(all_of_it)} {name}", DOWN))
        faults.append(killed(all_of_it, f"kill -9 of all {name}", DOWN))
    by_name = {"kafka": engines.kafka, "mongo": engines.mongo, "minio": engines.minio}
    faults += [engine_killed(name, engine, DOWN) for name, engine in by_name.items()]
    return [*faults, engine_stopped("kafka", engines.kafka, stopped)]


def short_faults(deployment: Deployment, engines: Engines) -> list[Fault]:
    """One process and the log, for a few seconds each."""
    one = killed(deployment.of("verification")[:1], "kill -9 of one of 2 verification", 4)
    return [one, engine_killed("kafka", engines.kafka, 4)]


def break_for_a_while(fault: Fault, calm: float) -> FaultRecord:
    """Inject the fault, wait, repair it, and observe for `calm` seconds more; blocks."""
    begun = time.monotonic()
    fault.begin()
    time.sleep(max(0.0, begun + fault.seconds - time.monotonic()))
    fault.end()
    mended = time.monotonic()
    time.sleep(calm)
    return FaultRecord(fault.name, fault.parts, begun, mended, time.monotonic())
