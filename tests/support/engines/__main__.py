"""`python -m tests.support.engines`: fetches the engines, starts them all, runs the suites over them, and stops them again.

With `--fetch` it does no more than fetch. Options go to pytest beside the usual suites, paths in place of them.
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

SUITES = (
    "tests/adapters",
    "tests/e2e/distributed",
    "tests/faults/distributed",
    "-k",
    "kafka or mongo or minio or versitygw or s3 or distributed",
)


def main(words: Sequence[str]) -> int:
    """Return the exit status of pytest, or 1 if a required engine is unavailable."""
    missing = fetch()
    if missing and required():
        return 1
    only_options = all(word.startswith("-") for word in words)
    return 0 if list(words) == ["--fetch"] else run([*SUITES, *words] if only_options else words)


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
    """Run pytest with the engines, each started once for all workers."""
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="simpul-engines-")))
        addresses = {}
        for setting, engine in ENGINES.items():
            with contextlib.suppress(EngineUnavailable):
                addresses[setting] = running.enter_context(engine.running(folder / setting.lower()))
        say(f"{len(addresses)} of {len(ENGINES)} engines run")
        # In the order of tests/conftest.py, the slowest files first.
        options = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
        command = [sys.executable, "-m", "pytest", "-q", *options, *words]
        return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
