"""`python -m tests.support.containers`: starts docker-compose.yml, takes requests through it, breaks it, and stops it.

`--keep` leaves it running. Exit status: 0 all checks passed, 1 a check failed, 3 containers are not available.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from simpul.client import ApiError
from tests.support.containers.checks import CHECKS, ComposeTrial
from tests.support.containers.compose import ContainersUnavailable, Failed, project
from tests.support.engines.engine_process import say

EXIT_UNAVAILABLE = 3


def main(arguments: Sequence[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="simpul-containers-"))
    try:
        trial = ComposeTrial(project(folder, SIMPUL_PUBLIC_RATE="0"), folder)
    except ContainersUnavailable as reason:
        say(f"containers: skipped. {reason}")
        return EXIT_UNAVAILABLE
    try:
        return run(trial)
    finally:
        if "--keep" in arguments:
            say(
                f"Running at {trial.project.url}, emails at {trial.project.mail}; settings and accounts are in {folder}."
            )
        else:
            trial.project.compose("down", "--volumes", "--timeout", "20")
            shutil.rmtree(folder)


def run(trial: ComposeTrial) -> int:
    failed = [check for check in CHECKS if not run_check(trial, check)]
    say(json.dumps(trial.measurements, ensure_ascii=False))
    say(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
    return 1 if failed else 0


def run_check(trial: ComposeTrial, check: Callable[[ComposeTrial], str]) -> bool:
    """Run a check, print its result and duration in one line, and return whether it passed."""
    started_at = time.monotonic()
    try:
        finding, passed = check(trial), True
    except (AssertionError, Failed, OSError, ValueError, httpx.HTTPError, ApiError) as error:
        finding, passed = f"{type(error).__name__} {error}", False
    mark = "ok  " if passed else "FAIL"
    say(f"{mark} {time.monotonic() - started_at:6.1f} s  {check.__doc__}" + (f": {finding}" if finding else ""))
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
