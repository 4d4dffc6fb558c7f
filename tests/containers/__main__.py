"""`python -m tests.containers`: brings docker-compose.yml up, takes requests through it, breaks it, and takes it down again.

`--keep` leaves it up. Exit status 0: all was well; 1: something was not; 3: containers cannot be run here.
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

from services.cli.client import ApiError
from tests.containers.checks import CHECKS, Ground
from tests.containers.containers import Failed, Unavailable, site
from tests.engines.engine import say

CANNOT = 3


def main(words: Sequence[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="simpul-containers-"))
    try:
        ground = Ground(site(folder, SIMPUL_PUBLIC_RATE="0"), folder)
    except Unavailable as reason:
        say(f"containers: not tried. {reason}")
        return CANNOT
    try:
        return run(ground)
    finally:
        if "--keep" in words:
            say(f"Left up at {ground.site.url}, e-mails at {ground.site.mail}; settings and accounts are in {folder}.")
        else:
            ground.site.compose("down", "--volumes", "--timeout", "20")
            shutil.rmtree(folder)


def run(ground: Ground) -> int:
    bad = [check for check in CHECKS if not tried(ground, check)]
    say(json.dumps(ground.figures, ensure_ascii=False))
    say(f"{len(CHECKS) - len(bad)} of {len(CHECKS)} as they should be")
    return 1 if bad else 0


def tried(ground: Ground, check: Callable[[Ground], str]) -> bool:
    """Whether it went well; one line says so, with its time and what it found."""
    begun = time.monotonic()
    try:
        found, well = check(ground), True
    except (AssertionError, Failed, OSError, ValueError, httpx.HTTPError, ApiError) as error:
        found, well = f"{type(error).__name__} {error}", False
    mark = "ok  " if well else "FAIL"
    say(f"{mark} {time.monotonic() - begun:6.1f} s  {check.__doc__}" + (f": {found}" if found else ""))
    return well


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
