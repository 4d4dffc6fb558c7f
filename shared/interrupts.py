"""Ctrl-C and SIGTERM: end what runs in order if that takes a moment, and at once in any case.

Whoever interrupts is right: everything here survives being killed (tests/faults), so nothing is worth waiting for. Imports
little, to be installed before anything else.
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
"""What an interrupted command may take to close what it opened."""

CancelCallback = Callable[[], None]


class Interrupted(BaseException):
    """A signal asks the command to end. No `except Exception` meets it, and no library takes it for its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that a shell reports: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class _Interrupts:
    number = 0
    """The signal that came and was not answered yet, 0 before."""
    received = False
    cancel: CancelCallback | None = None
    ended = False


_state = _Interrupts()


def install() -> None:
    """Take both signals, also where Ctrl-C is ignored, as by what a shell script starts with `&`."""
    _state.number, _state.received, _state.cancel, _state.ended = 0, False, None, False
    sys.unraisablehook = _handle_unraisable
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle_signal)


def _handle_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised while it collects garbage: an interrupt that came just then ends the process here.

    What an interrupt left half made (an event loop, say) may fail as it is collected, which is of no interest to anybody.
    """
    if isinstance(unraisable.exc_value, Interrupted):
        exit_now(unraisable.exc_value.status)
    if not _state.received:
        sys.__unraisablehook__(unraisable)


def _handle_signal(number: int, _: FrameType | None) -> None:
    if _state.number or _state.ended:
        exit_now(128 + number)
    _state.number, _state.received = number, True
    warnings.simplefilter("ignore")  # a coroutine that is not awaited any more is meant so
    # No threading.Thread: its start takes a lock that the interrupted code may hold.
    _thread.start_new_thread(_end_if_still_interrupted, (128 + number,))
    if _state.cancel is None:
        raise Interrupted(number)
    _state.cancel()


def _end_if_still_interrupted(status: int) -> None:
    time.sleep(GRACE_SECONDS)
    if _state.number:
        exit_now(status)


def exit_after(seconds: float, status: int) -> None:
    """End the process after this time, if it has not ended by itself."""

    def end() -> None:
        time.sleep(seconds)
        exit_now(status)

    _thread.start_new_thread(end, ())


def exit_now(status: int) -> None:
    """End the process, whatever its threads do."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h")  # a progress bar hides the cursor
    os._exit(status)


@contextlib.contextmanager
def cancel_on_interrupt(cancel: CancelCallback) -> Iterator[None]:
    """While the block runs, an interrupt calls this instead of raising Interrupted, which is raised at the block's end."""
    _state.cancel = cancel
    try:
        yield
    finally:
        _state.cancel = None
        check()


def check() -> None:
    """Raises Interrupted if a signal came; whoever swallowed it is not asked."""
    if _state.number:
        raise Interrupted(_state.number)


def forget() -> None:
    """What was interrupted has ended in order: the process may go on to its end as if by itself."""
    _state.number = 0


def leave(status: int) -> None:
    """End the process with what it printed written out; what still runs is not waited for once it was interrupted, and not
    for long after an interrupt that was answered.
    """
    interrupted, _state.ended = _state.number != 0, True
    if interrupted:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        exit_now(status)
    if _state.received:
        exit_after(GRACE_SECONDS, status)
    sys.exit(status)
