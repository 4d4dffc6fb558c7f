"""A queueing simulation of a server under load, to check what docs/scale.md computes from measured CPU times.

A *process* is one main thread, which handles one piece of work at a time; pieces of other threads and of the load generator need
a core only. Cores are shared. Pieces take exponentially distributed times, in the order of arrival.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import simpy

COMMANDS = 6

Steps = Generator[simpy.Event, None, None]


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds per lifecycle: `main` and `other` are CPU before the responses, `later` after them (events and emails).

    `client` is the CPU of the load generator, `delay` what passes without CPU: disk, and waiting for another service.
    """

    main: float
    other: float
    later: float
    client: float
    delay: float


@dataclass(frozen=True, slots=True)
class Machine:
    """`processes` are main threads, in one machine with `cores`."""

    processes: int = 1
    cores: int = 2


@dataclass(slots=True)
class Prediction:
    """Durations of lifecycles in seconds, of those that ended after the warm-up."""

    seconds: float
    durations: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.durations) / self.seconds

    def quantile(self, part: float) -> float:
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


class ServerSimulation:
    """One run of the simulation."""

    def __init__(self, costs: Costs, machine: Machine, seed: int = 1) -> None:
        self._costs, self._random, self._environment = costs, random.Random(seed), simpy.Environment()
        self._main = simpy.Resource(self._environment, machine.processes)
        self._cores = simpy.Resource(self._environment, machine.cores)

    def closed(self, clients: int, seconds: float, warm_up: float = 5.0) -> Prediction:
        """Simulate clients that each begin a lifecycle when the last one has ended."""
        prediction = Prediction(seconds)
        for _ in range(clients):
            self._environment.process(self._client(prediction, warm_up))
        self._environment.run(warm_up + seconds)
        return prediction

    def open(self, rate: float, seconds: float, warm_up: float = 5.0) -> Prediction:
        """Simulate lifecycles that begin at random times, `rate` per second on average."""
        prediction = Prediction(seconds)
        self._environment.process(self._arrivals(rate, prediction, warm_up))
        self._environment.run(warm_up + seconds)
        return prediction

    def _client(self, prediction: Prediction, warm_up: float) -> Steps:
        while True:
            yield from self._lifecycle(prediction, warm_up)

    def _arrivals(self, rate: float, prediction: Prediction, warm_up: float) -> Steps:
        while True:
            yield self._environment.timeout(self._random.expovariate(rate))
            self._environment.process(self._lifecycle(prediction, warm_up))

    def _lifecycle(self, prediction: Prediction, warm_up: float) -> Steps:
        began = self._environment.now
        for _ in range(COMMANDS):
            yield from self._on_core(self._costs.client / COMMANDS)
            yield from self._on_main(self._costs.main / COMMANDS)
            yield from self._on_core(self._costs.other / COMMANDS)
            yield self._environment.timeout(self._costs.delay / COMMANDS)
            self._environment.process(self._on_main(self._costs.later / COMMANDS))
        if self._environment.now > warm_up:
            prediction.durations.append(self._environment.now - began)

    def _on_main(self, mean: float) -> Steps:
        with self._main.request() as thread:
            yield thread
            yield from self._on_core(mean)

    def _on_core(self, mean: float) -> Steps:
        if mean > 0:
            with self._cores.request() as core:
                yield core
                yield self._environment.timeout(self._random.expovariate(1 / mean))


def processes_for(rate: float, costs: Costs, acceptable: Callable[[Prediction], bool], most: int = 4096) -> int | None:
    """Return the smallest power of two of processes, two to a machine of four cores, at which the prediction is acceptable."""
    processes = 1
    while processes <= most:
        prediction = ServerSimulation(costs, Machine(processes, cores=2 * processes)).open(rate, seconds=60)
        if acceptable(prediction):
            return processes
        processes *= 2
    return None
