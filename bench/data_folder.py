"""A data folder of the embedded mode with many requests: events, states, documents and staff, written without a server."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.lifecycles import scenario
from shared.backends.platform import Platform, open_platform
from shared.identity.accounts import Account, Role
from shared.identity.passwords import hash_new_password
from shared.runtime.decider import Decider
from shared.settings import load_settings
from simpul.demo.data_writer import skip_to_end, store_documents, write_requests
from simpul.generate.lifecycle_simulator import LifecycleSimulator, build_deciders, pdf_content

BATCH_REQUESTS = 100
"""Requests whose events are interleaved in the log."""
PASSWORD = "Kopra-Tembikar-Layar-41"
STAFF = {
    "petugas": ("Rosmina Gotowara", Role.OFFICER),
    "kepala": ("Yohanis Bulidara", Role.STRUCTURAL),
    "teknis": ("Ridwan Subaimora", Role.TECHNICAL),
    "admin": ("Ahli Sistem", Role.ADMIN),
}


async def fill(data: Path, requests: int) -> None:
    """Create a data folder with this many requests, open and ended, and one account per role."""
    platform = open_platform(load_settings(mode="embedded", data=data))
    try:
        await platform.prepare()
        await _add_staff(platform)
        deciders = build_deciders()
        stores = {name: platform.state_store(name, decider.indexed_columns) for name, decider in deciders.items()}
        for store in stores.values():
            await store.prepare()
        for start in range(0, requests, BATCH_REQUESTS):
            numbers = range(start, min(requests, start + BATCH_REQUESTS))
            simulators = [run_scenario(deciders, number) for number in numbers]
            await store_documents(platform.documents, {key: pdf_content(key) for key in document_keys(simulators)})
            await write_requests(platform.log, stores, simulators)
        await skip_to_end(platform.log, tuple(deciders))
    finally:
        await platform.close()


def run_scenario(deciders: Mapping[str, Decider[Any]], number: int) -> LifecycleSimulator:
    """Simulate one request; every seventh is only submitted."""
    simulator = LifecycleSimulator(deciders, number)
    steps = scenario(simulator.request, number)
    simulator.run(steps[:1] if number % 7 == 0 else steps)
    return simulator


def document_keys(simulators: Sequence[LifecycleSimulator]) -> Iterator[str]:
    """Yield the keys of the documents that the events of these requests name."""
    for simulator in simulators:
        for event in simulator.events:
            yield from (document.key for document in getattr(event.fact, "documents", ()))


async def _add_staff(platform: Platform) -> None:
    hashed = await hash_new_password(PASSWORD)
    for username, (name, role) in STAFF.items():
        await platform.accounts.add(Account(username, name, f"{username}@kantor.example", (role,), hashed))


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.data_folder", description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--requests", type=int, default=10_000)
    options = arguments.parse_args()
    started_at = time.perf_counter()
    asyncio.run(fill(options.folder, options.requests))
    print(f"{options.requests:,} requests in {options.folder}, written in {time.perf_counter() - started_at:.0f} s")


if __name__ == "__main__":
    main()
