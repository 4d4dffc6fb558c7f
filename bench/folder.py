"""A folder of the embedded mode as it is after many requests: events, states, documents and staff, made without a server."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.lifecycles import Office, deciders, delivery, paper, story
from shared.contracts.envelope import to_bytes
from shared.documents.folder import FolderDocumentStore
from shared.identity.accounts import Account, Role
from shared.identity.passwords import hash_new_password
from shared.platform import Platform, open_platform
from shared.runtime.decider import Decider
from shared.runtime.folding import reopened
from shared.settings import load_settings

AT_ONCE = 100
"""Requests whose events are laid down in turns."""
PASSWORD = "Kopra-Tembikar-Layar-41"
STAFF = {
    "petugas": ("Rosmina Gotowara", Role.OFFICER),
    "kepala": ("Yohanis Bulidara", Role.STRUCTURAL),
    "teknis": ("Ridwan Subaimora", Role.TECHNICAL),
    "admin": ("Ahli Sistem", Role.ADMIN),
}


async def fill(data: Path, requests: int) -> None:
    """Make a new folder with so many requests, each on its way or through it, and an account for each role."""
    platform = open_platform(load_settings(mode="embedded", data=data))
    try:
        await platform.prepare()
        await _hire(platform)
        hearts = deciders()
        stores = {name: platform.state_store(name, heart.indexed) for name, heart in hearts.items()}
        for store in stores.values():
            await store.prepare()
        for start in range(0, requests, AT_ONCE):
            offices = [lived(hearts, number) for number in range(start, min(requests, start + AT_ONCE))]
            for name, store in stores.items():
                writes = [
                    office.foldings[name].close(reopened(office.drafts[name], 0))
                    for office in offices
                    if office.drafts[name].seen
                ]
                await store.save(writes)
            await _lay_down(platform, offices)
        for name in hearts:
            await platform.log.pass_over(name, await platform.log.end())
    finally:
        await platform.close()


def lived(hearts: Mapping[str, Decider[Any]], number: int) -> Office:
    """One request; every seventh has only just begun."""
    office = Office(hearts, number)
    steps = story(office.request, number)
    for service, command in steps[:1] if number % 7 == 0 else steps:
        office.do(*(("assignment", delivery(office, command)) if service == "deliver" else (service, command)))
    return office


async def _lay_down(platform: Platform, offices: Sequence[Office]) -> None:
    folder = FolderDocumentStore(platform.settings.documents, platform.new_id)
    longest = max(len(office.events) for office in offices)
    for place in range(longest):
        turn = [office.events[place] for office in offices if place < len(office.events)]
        await platform.log.append([(event.subject, to_bytes(event)) for event in turn])
    for office in offices:
        for event in office.events:
            for document in getattr(event.fact, "documents", ()):
                path = folder.path_of(document.key)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(paper(document.key))


async def _hire(platform: Platform) -> None:
    hashed = await hash_new_password(PASSWORD)
    for username, (name, role) in STAFF.items():
        await platform.accounts.add(Account(username, name, f"{username}@kantor.example", (role,), hashed))


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.folder", description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--requests", type=int, default=10_000)
    wanted = arguments.parse_args()
    began = time.perf_counter()
    asyncio.run(fill(wanted.folder, wanted.requests))
    print(f"{wanted.requests:,} requests in {wanted.folder}, made in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
