"""`python -m tests.support.engines`: fetches the engines, starts them all, runs the tests that need them, and stops them again.

With `--fetch` it does no more than fetch. All other arguments go to pytest.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.engines import kafka, minio, mongo, versitygw
from tests.support.engines.engine_process import EngineUnavailable, required, say

ENGINES = {
    "SIMPUL_KAFKA": kafka,
    "SIMPUL_MONGO": mongo,
    "SIMPUL_MINIO": minio,
    "SIMPUL_TEST_VERSITYGW": versitygw,
}
"""The engines by the environment variable with their address; a given address is used as it is."""
TEMPORARY = os.environ.get("PYTEST_DEBUG_TEMPROOT") or None
"""Where pytest keeps temporary files too; in memory, because each commit waits for the disk."""


def main(words: Sequence[str]) -> int:
    """Return the exit status of pytest, or 1 if a required engine is unavailable."""
    missing = fetch()
    if missing and required():
        return 1
    return 0 if "--fetch" in words else run(words)


def fetch() -> list[str]:
    """Fetch the missing engines, and return the names of those that are unavailable."""
    missing = []
    for setting, engine in ENGINES.items():
        name, begun = engine.__name__.rpartition(".")[2], time.monotonic()
        if setting in os.environ:
            say(f"{name}: the one that {setting} names")
            continue
        try:
            place = engine.find()
        except EngineUnavailable as reason:
            say(f"{name}: cannot be had: {reason}")
            missing.append(name)
            continue
        say(f"{name}: {place} ({time.monotonic() - begun:.0f} s)")
    return missing


def run(words: Sequence[str]) -> int:
    """Run the tests that need engines, each of which is started once for all workers."""
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="simpul-engines-", dir=TEMPORARY)))
        addresses = {}
        for setting, engine in ENGINES.items():
            with contextlib.suppress(EngineUnavailable):
                addresses[setting] = running.enter_context(engine.running(folder / setting.lower()))
        say(f"{len(addresses)} of {len(ENGINES)} engines run")
        command = [sys.executable, "-m", "pytest", "-q", "-m", "engines", *words]
        return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
