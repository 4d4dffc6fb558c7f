"""Entry point of the command line: `simpul`."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

from shared import interrupts

SIGPIPE_EXIT_STATUS = 141
"""128 and the number of SIGPIPE, as a shell reports it when `| head` has closed the pipe."""


def main() -> None:
    """Run a command. Exit status: 0 done, 1 failed, 2 wrong usage, 130 or 143 interrupted, 141 output closed."""
    try:
        interrupts.install_signal_handlers()
        status = _run()
    except interrupts.Interrupted as interrupted:
        status = interrupted.status
    interrupts.exit_process(status)


def _run() -> int:
    # Signal handlers are installed before the slow imports.
    from simpul.cli.errors import OutputClosed

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _run_command()
        sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        # Buffered output must not fail again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = SIGPIPE_EXIT_STATUS
    interrupts.raise_if_interrupted()
    return status


def _run_command() -> int:
    from simpul.cli.errors import OutputClosed, error_message
    from simpul.cli.main import app

    try:
        app(prog_name="simpul")
    except SystemExit as system_exit:
        return system_exit.code if isinstance(system_exit.code, int) else int(system_exit.code is not None)
    except OutputClosed:
        raise
    except Exception as error:
        interrupts.raise_if_interrupted()
        if os.environ.get("SIMPUL_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        print(error_message(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
