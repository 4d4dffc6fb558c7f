"""Chromium for the browser tests: the installed one, or Playwright's download."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright

ON_THE_MACHINE = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The headless shell has no user interface; a context takes half the CPU there."""
DOWNLOAD_WITHIN = 180.0
DISABLED_FEATURES = (
    # Each window of the whole browser loads these pages for its address bar, which takes a second of CPU.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    # What Playwright disables, because Chromium reads only the last list.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *(
        "HttpsFirstBalancedModeAutoEnable",
        "LensOverlay",
        "MediaRouter",
        "PaintHolding",
        "ThirdPartyStoragePartitioning",
    ),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled"),
    "PreconnectToSearch",
)
FLAGS = (
    f"--disable-features={','.join(DISABLED_FEATURES)}",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REQUIRED = os.environ.get("SIMPUL_BROWSER") == "required"
"""Fail instead of skip if there is no browser."""


def launched(playwright: Playwright, cache: Path) -> Browser | None:
    """Launch a headless browser; None if there is none. The result of a download is kept in `cache`."""
    found = _found(Path(playwright.chromium.executable_path), cache)
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=found, args=[*FLAGS, *as_root]) if found else None


def _found(own: Path, cache: Path) -> Path | None:
    on_the_machine = next(filter(None, map(shutil.which, ON_THE_MACHINE)), None)
    if on_the_machine:
        return Path(on_the_machine)
    return own if own.exists() or _downloaded(cache) else None


def _downloaded(cache: Path) -> bool:
    """Download once per test run, whatever the number of its processes."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (cache / "download").open("a+") as told:
        fcntl.flock(told, fcntl.LOCK_EX)
        told.seek(0)
        if (before := told.read().split()) and before[0] == run:
            return before[1] == "done"
        done = _install()
        told.truncate(0)
        told.write(f"{run} {'done' if done else 'failed'}")
        return done


def _install() -> bool:
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        return subprocess.run(command, capture_output=True, timeout=DOWNLOAD_WITHIN, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
