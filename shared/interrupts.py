"""Ctrl-C and SIGTERM: a command ends in order if that takes a moment, and in any case at once.

Stored data survives a kill (tests/faults), so nothing is worth waiting for. The module imports little, because its signal handlers
are installed before anything else.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from types import FrameType

GRACE_SECONDS = 3.0
"""Time that an interrupted command has to close what it opened."""

CancelCallback = Callable[[], None]


class Interrupted(BaseException):
    """A signal asks the command to end; not an Exception, so that no library handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class _SignalState:
    number = 0
    """The signal that has been received and not handled yet, else 0."""
    received = False
    cancel: CancelCallback | None = None
    exiting = False


_state = _SignalState()


def install_signal_handlers() -> None:
    """Handle both signals, even if Ctrl-C is ignored, as in a background process of a shell script."""
    _state.number, _state.received, _state.cancel, _state.exiting = 0, False, None, False
    sys.unraisablehook = _handle_unraisable
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle_signal)


def _handle_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Exit on an interrupt that was raised during garbage collection, which Python would ignore.

    Errors of objects that an interrupt left incomplete, such as an event loop, are not reported.
    """
    if isinstance(unraisable.exc_value, Interrupted):
        exit_now(unraisable.exc_value.status)
    if not _state.received:
        sys.__unraisablehook__(unraisable)


def _handle_signal(number: int, _: FrameType | None) -> None:
    if _state.number or _state.exiting:
        exit_now(128 + number)
    _state.number, _state.received = number, True
    warnings.simplefilter("ignore")  # of coroutines that are never awaited now
    # threading.Thread takes a lock when it starts, which the interrupted code may hold.
    _thread.start_new_thread(_end_if_still_interrupted, (128 + number,))
    if _state.cancel is None:
        raise Interrupted(number)
    _state.cancel()


def _end_if_still_interrupted(status: int) -> None:
    time.sleep(GRACE_SECONDS)
    if _state.number:
        exit_now(status)


def exit_after(seconds: float, status: int) -> None:
    """Exit after this time, if the process has not ended by itself."""

    def end() -> None:
        time.sleep(seconds)
        exit_now(status)

    _thread.start_new_thread(end, ())


def exit_now(status: int) -> None:
    """Exit without waiting for threads."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h")  # a progress bar hides the cursor
    os._exit(status)


@contextlib.contextmanager
def cancel_on_interrupt(cancel: CancelCallback) -> Iterator[None]:
    """While the block runs, call this on an interrupt; Interrupted is raised at the end of the block."""
    _state.cancel = cancel
    try:
        yield
    finally:
        _state.cancel = None
        raise_if_interrupted()


def raise_if_interrupted() -> None:
    """Raise Interrupted if a signal has been received, even if the exception was suppressed."""
    if _state.number:
        raise Interrupted(_state.number)


def clear_interrupt() -> None:
    """Forget the interrupt: what was interrupted has ended in order."""
    _state.number = 0


def exit_process(status: int) -> None:
    """Flush the output and exit: at once after an interrupt, within the grace period after one that was handled."""
    interrupted, _state.exiting = _state.number != 0, True
    if interrupted:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        exit_now(status)
    if _state.received:
        exit_after(GRACE_SECONDS, status)
    sys.exit(status)
