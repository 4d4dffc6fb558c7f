"""The supervisor of `simpul up --workers N`: starts worker processes on one port, replaces those that end, and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

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
    with _metrics_folder() as metrics:
        asyncio.run(Supervisor(size, sockets, locks, metrics).run())


@contextlib.contextmanager
def _metrics_folder() -> Iterator[Path]:
    """A folder for counters in memory: a disk may be full when they are first written."""
    in_memory = Path("/dev/shm")  # noqa: S108 - the folder in it has a random name and belongs to this user alone
    folder = tempfile.mkdtemp(prefix="simpul-metrics-", dir=in_memory if os.access(in_memory, os.W_OK) else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Supervisor:
    """Starts the workers and waits for them. If it is killed, they end at once, since the pipe that they watch closes."""

    def __init__(self, size: int, sockets: Sequence[socket.socket], locks: Sequence[int], metrics: Path) -> None:
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
        for worker in workers:
            if worker.done() and worker.exception() is not None:
                raise WorkersFailed from worker.exception()

    def _stop(self, number: int) -> None:
        """Stop gracefully on the first signal, and at once on the second; the workers then end with this process."""
        if self._stopping.is_set():
            shutil.rmtree(self._metrics, ignore_errors=True)
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
            status = await self._run_process(index)
            if self._stopping.is_set():
                return
            if is_first and status == STARTUP_FAILED:
                raise WorkersFailed
            is_first = False
            failures = 0 if time.monotonic() - started_at > STABLE_SECONDS else failures + 1
            delay = RESTART_BACKOFF.delay(failures) if failures else 0.0
            logger.error("worker %d ended with status %s and is started again in %.1f s", index + 1, status, delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_process(self, index: int) -> int:
        """Run a worker process until it ends; return its exit status, negative for the number of a signal."""
        place = self._place(index)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "simpul.worker"),
            pass_fds=place.descriptors,
            # Ctrl-C in a terminal reaches this process alone, which passes it on once.
            start_new_session=True,
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, METRICS_FOLDER_VARIABLE: str(self._metrics)},
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
            multiprocess.mark_process_dead(process.pid, str(self._metrics))  # type: ignore[no-untyped-call]

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
            metrics=str(self._metrics),
        )


def _stop_signals() -> list[signal.Signals]:
    """The signals that stop the workers; not the end of the terminal if it is ignored, as `nohup` does."""
    stop_signals = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        stop_signals.append(signal.SIGHUP)
    return stop_signals
