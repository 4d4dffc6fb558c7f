"""An office in the middle of its work: a request in every state, some that are odd, one that cannot go on, and letters sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from services.cli import demo_files
from services.cli.demo_cases import case
from shared.platform import open_platform
from shared.settings import Settings
from shared.storage.port import DeadLetter
from tests.browser.visits import House
from tests.journeys.gate import LETTER, TODAY, Asked, eventually
from tests.journeys.steps import STEPS, WAY, walked

ODD_NUMBER = "19850230 201001 1 001"
SEED = 1
PARKED = "verification:1"


@dataclass(frozen=True)
class World:
    """`asked` by state. `odd` waits for an officer with a warning, `advised` for the head with a recommendation; `passing`
    are for somebody to look at while they move on. `record` is where the delivered request's record is checked."""

    house: House
    asked: Mapping[str, Asked]
    odd: Asked
    advised: Asked
    passing: Mapping[str, Asked]
    record: str


def world_of(house: House) -> World:
    """Make it all, over the API."""
    gate = house.gate
    asked = {status: walked(gate, status) for status in WAY}
    passing = {status: walked(gate, status) for status in ("submitted", "verified", "in_progress")}
    papers = [("letter", demo_files.letter(case(SEED, 0, TODAY))), ("requirements", LETTER)]
    sent = gate.submit(papers, employee_number=ODD_NUMBER, name="Siti Perumpamaan")
    odd = Asked.of(gate, sent).reaches("submitted")
    advised = walked(gate, "submitted")
    assert STEPS["recommendation"](advised).status_code == 200
    eventually(lambda: "Sudah tidak diperlukan." in str(advised.seen()[2]))
    delivered = asked["delivered"].number
    with ThreadPoolExecutor(1) as aside:  # the browser has a loop here
        code = aside.submit(asyncio.run, _behind(gate.server.data, asked["verified"].id, delivered)).result()
    return World(house, asked, odd, advised, passing, f"/periksa/BAST-{delivered}-1?kode={code}")


async def _behind(data: Path, parked: str, delivered: str) -> str:
    """What no call does: park an event of one request, and tell the code on the handover record of the other."""
    platform = open_platform(Settings(data=data))
    await platform.prepare()
    event = b'{"type": "RequestVerified", "source": "verification", "sequence": 7}'
    letter = DeadLetter(PARKED, "verification", parked, "1", event, "KeyError: 'checklist'", 5, platform.clock())
    await platform.state_store("verification", ()).park([letter])
    await platform.close()
    return platform.tracking.record_code(f"BAST/{delivered}/1")
