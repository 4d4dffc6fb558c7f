"""A worker process of `simpul up --workers N`, started by its supervisor only."""

from __future__ import annotations

import logging
import shutil
import socket
import sys
from functools import partial

from shared import interrupts

SUPERVISOR_GONE = 1
"""Exit status of a worker whose supervisor has been killed."""


def main() -> None:
    """Serve until a signal stops this process, or until its supervisor has ended."""
    try:
        interrupts.install_signal_handlers()
        status = _run(sys.stdin.read())
    except interrupts.Interrupted as interrupted:
        interrupts.clear_interrupt()
        status = interrupted.status
    interrupts.exit_process(status)


def _run(place_as_json: str) -> int:
    # Signal handlers are installed before the slow imports.
    from shared.backends.platform import open_platform
    from shared.observability.logging import configure_logging
    from shared.settings import load_settings
    from shared.workers.group import WorkerPlace, exit_with_supervisor
    from simpul.app import create_application
    from simpul.cli.errors import error_message
    from simpul.cli.serve import run_until_stopped, trace_exporter
    from simpul.cli.supervisor import STARTUP_FAILED

    place = WorkerPlace.from_json(place_as_json)
    exit_with_supervisor(place.supervisor, partial(_end, place.metrics))
    settings, process = load_settings(), f"simpul-{place.index + 1}"
    configure_logging(settings.log_level, service=process)
    try:
        application = create_application(open_platform(settings, workers=place.join()))
    except Exception as error:
        logging.getLogger(__name__).error("the worker cannot start: %s", error_message(error))
        return STARTUP_FAILED
    with trace_exporter(settings, process):
        started = run_until_stopped(application, [socket.socket(fileno=listener) for listener in place.listeners])
    return 0 if started else STARTUP_FAILED


def _end(metrics: str) -> None:
    shutil.rmtree(metrics, ignore_errors=True)
    interrupts.exit_now(SUPERVISOR_GONE)


if __name__ == "__main__":
    main()
