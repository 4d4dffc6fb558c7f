"""Measure the time and memory of `simpul move` for a folder with many requests, over real engines on the same machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import describe_machine
from bench.report import MOVE, PAGE, with_section
from bench.store import StorePlan, fill, midnight
from shared.settings import load_settings
from tests.support.distributed.deployment import engines

SIMPUL = (sys.executable, "-m", "simpul")


@dataclass(frozen=True, slots=True)
class Run:
    """A command: its JSON output, elapsed seconds, CPU seconds and peak memory in MiB."""

    output: dict[str, Any]
    seconds: float
    cpu: float
    memory: float


def run_command(words: list[str], settings: dict[str, str]) -> Run:
    """Run a command. Raises SystemExit if it fails."""
    started_at = time.perf_counter()
    command = subprocess.Popen([*SIMPUL, *words, "--json"], env={**os.environ, **settings}, stdout=subprocess.PIPE)
    assert command.stdout is not None
    stdout = command.stdout.read()
    _, status, usage = os.wait4(command.pid, 0)
    if status:
        raise SystemExit(f"simpul {' '.join(words)} failed: {stdout.decode(errors='replace')[-2000:]}")
    return Run(json.loads(stdout), time.perf_counter() - started_at, _cpu(usage), usage.ru_maxrss / 1024)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def benchmark_section(folder: Path, engine_settings: dict[str, str]) -> str:
    """The section of docs/benchmarks.md."""
    load = os.getloadavg()[0]
    source_settings = {"SIMPUL_DATA": str(folder), **engine_settings}
    target_settings = {
        **source_settings,
        "SIMPUL_MODE": "distributed",
        "SIMPUL_SECRET_FILE": str(folder / "secret"),
        "SIMPUL_SMTP": "smtp://127.0.0.1:25?tls=none",
        "SIMPUL_BASE_URL": "http://127.0.0.1:8000",
    }
    runs = {
        "`simpul move --to distributed`": run_command(["move", "--to", "distributed"], source_settings),
        "the same, repeated": run_command(["move", "--to", "distributed"], source_settings),
        "`simpul events verify` on the engines": run_command(["events", "verify"], target_settings),
    }
    first = next(iter(runs.values())).output
    rows = [f"| {name} | {run.seconds:.0f} | {run.cpu:.0f} | {run.memory:.0f} |" for name, run in runs.items()]
    requests = first["services"][0]["requests"]
    documents = first["documents"]
    return "\n".join(
        (
            MOVE.rstrip(),
            "",
            f"Written by `make bench-move`. A folder with {requests:,} requests ({first['events']:,} events, "
            f"{documents['copied']:,} documents",
            f"of 8 KB, {first['accounts']} accounts) is moved to Kafka, MongoDB and MinIO on the same machine:",
            "",
            *(f"- {line}" for line in describe_machine()[:1]),
            f"- {load:.0f} runnable processes at the start (load average)",
            "",
            "| command | elapsed, s | CPU, s | peak memory, MiB |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"All {len(first['services'])} services have the same records as before; every document was read back and its hash "
            "compared.",
            "",
        )
    )


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.move", description=__doc__)
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--folder", type=Path, help="a folder from bench.store; by default a new one is created")
    options = arguments.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-move-")))
        folder = options.folder or place / "data"
        if not folder.exists():
            asyncio.run(fill(load_settings(data=folder), StorePlan(options.requests, midnight(), own_documents=True)))
        settings = stack.enter_context(engines(place / "engines")).settings
        section = benchmark_section(folder, settings)
    print(section)
    PAGE.write_text(with_section(PAGE.read_text(), MOVE, section))


if __name__ == "__main__":
    main()
