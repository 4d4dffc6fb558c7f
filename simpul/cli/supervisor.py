"""The supervisor of `simpul up --workers N`: starts worker processes on one port, replaces those that end, and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

from prometheus_client import multiprocess

from shared import interrupts
from shared.backoff import Backoff
from shared.web.http.server import SHUTDOWN_DEADLINE_SECONDS
from shared.workers.group import (
    METRICS_FOLDER_VARIABLE,
    WorkerPlace,
    create_seed,
    create_shared_memory,
    map_shared_memory,
)
from shared.workers.metrics_folder import MetricsFolder
from shared.workers.numbers import SharedNumbers

logger = logging.getLogger(__name__)

STARTUP_FAILED = 3
"""Exit status of a worker that could not start, for which its log has the reason."""
RESTART_BACKOFF = Backoff(0.2, 15.0)
STABLE_SECONDS = 60.0
"""A worker that ran for as long is replaced without a delay."""
KILL_AFTER_SECONDS = SHUTDOWN_DEADLINE_SECONDS + 5.0


class WorkersFailed(Exception):
    """A worker did not start when all of them were started first."""


def run_workers(size: int, sockets: Sequence[socket.socket], locks: Sequence[int]) -> None:
    """Run workers until a signal stops them. Raises WorkersFailed."""
    with MetricsFolder() as metrics:
        asyncio.run(Supervisor(size, sockets, locks, metrics).run())


class Supervisor:
    """Starts the workers and waits for them. If it is killed, they end at once, since the pipe that they watch closes."""

    def __init__(
        self, size: int, sockets: Sequence[socket.socket], locks: Sequence[int], metrics: MetricsFolder
    ) -> None:
        self._size, self._sockets, self._locks, self._metrics = size, sockets, locks, metrics
        self._pipes = [os.pipe() for _ in range(size)]
        self._watched_end, self._own_end = os.pipe()
        self._memory, self._seed = create_shared_memory(size), create_seed()
        memory = map_shared_memory(self._memory, size)
        self._held = SharedNumbers(memory, 0, size, size, bytes.fromhex(self._seed))
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run the workers until a signal arrives. Raises WorkersFailed."""
        loop = asyncio.get_running_loop()
        for number in _stop_signals():
            loop.add_signal_handler(number, self._stop, number)
        workers = [asyncio.create_task(self._run_worker(index)) for index in range(self._size)]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            # Only a worker that cannot start ends its task before the signal.
            await asyncio.wait({*workers, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._end_workers()
            await asyncio.wait(workers, timeout=KILL_AFTER_SECONDS)
        finally:
            stopping.cancel()
            for process in self._processes.values():
                process.kill()
        errors = [error for worker in workers if worker.done() and (error := worker.exception()) is not None]
        if errors:
            raise errors[0]

    def _stop(self, number: int) -> None:
        """Stop gracefully on the first signal, and at once on the second; the workers then end with this process."""
        if self._stopping.is_set():
            self._metrics.remove()
            interrupts.exit_now(128 + number)
        self._stopping.set()

    def _end_workers(self) -> None:
        self._stopping.set()
        for listener in self._sockets:
            listener.close()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    async def _run_worker(self, index: int) -> None:
        """Run a worker, and another one whenever it ends. Raises WorkersFailed if the first one cannot start."""
        failures, is_first = 0, True
        while not self._stopping.is_set():
            started_at = time.monotonic()
            outcome = await self._run_once(index, is_first=is_first)
            if self._stopping.is_set():
                return
            is_first = False
            failures = 0 if time.monotonic() - started_at > STABLE_SECONDS else failures + 1
            delay = RESTART_BACKOFF.delay(failures) if failures else 0.0
            logger.error("worker %d %s and is started again in %.1f s", index + 1, outcome, delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_once(self, index: int, *, is_first: bool) -> str:
        """Run a worker until it ends; return what became of it. Raises WorkersFailed if the first one cannot start."""
        try:
            status = await self._run_process(index)
        except OSError as error:
            if is_first:
                raise WorkersFailed from error
            return f"could not be started ({error})"
        if is_first and status == STARTUP_FAILED and not self._stopping.is_set():
            raise WorkersFailed
        return f"ended with status {status}"

    async def _run_process(self, index: int) -> int:
        """Run a worker process until it ends; return its exit status, negative for the number of a signal.

        Raises: OSError if it cannot be started.
        """
        self._metrics.ensure_exists()
        place = self._place(index)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "simpul.worker"),
            pass_fds=place.descriptors,
            # Ctrl-C in a terminal reaches this process alone, which passes it on once.
            start_new_session=True,
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, METRICS_FOLDER_VARIABLE: str(self._metrics.path)},
        )
        self._processes[index] = process
        try:
            if self._stopping.is_set():
                process.terminate()
            # Not an argument, because other users of the machine see those.
            await process.communicate(place.to_json().encode())
            return process.returncode or 0
        finally:
            del self._processes[index]
            self._held.clear(index)
            multiprocess.mark_process_dead(process.pid, str(self._metrics.path))  # type: ignore[no-untyped-call]

    def _place(self, index: int) -> WorkerPlace:
        return WorkerPlace(
            index=index,
            size=self._size,
            listeners=[listener.fileno() for listener in self._sockets],
            inbox=self._pipes[index][0],
            outboxes=[write_end for other, (_, write_end) in enumerate(self._pipes) if other != index],
            memory=self._memory,
            seed=self._seed,
            supervisor=self._watched_end,
            locks=self._locks,
            metrics=str(self._metrics.path),
        )


def _stop_signals() -> list[signal.Signals]:
    """The signals that stop the workers; not the end of the terminal if it is ignored, as `nohup` does."""
    stop_signals = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        stop_signals.append(signal.SIGHUP)
    return stop_signals
