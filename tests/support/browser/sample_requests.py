"""Sample data: a request in every status, some with warnings, one with a dead letter, and emails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.backends.platform import open_platform
from shared.settings import Settings
from shared.storage.port import DeadLetter
from simpul.demo import sample_documents
from simpul.demo.sample_requests import sample_request
from tests.support.browser.browser_sessions import SiteUnderTest
from tests.support.e2e.request_steps import STEPS, STEPS_TO_STATUS, request_in_status
from tests.support.e2e.server_session import LETTER, TODAY, SubmittedRequest, wait_until

ODD_NUMBER = "19850230 201001 1 001"
SEED = 1
PARKED = "verification:1"


@dataclass(frozen=True)
class SampleRequests:
    """Requests in every state.

    `asked` is by state. `odd` waits for an officer and has a warning, `advised` waits for the head and has a
    recommendation; `passing` change while a page shows them. `record` is the URL of the handover record check.
    """

    site: SiteUnderTest
    asked: Mapping[str, SubmittedRequest]
    odd: SubmittedRequest
    advised: SubmittedRequest
    passing: Mapping[str, SubmittedRequest]
    record: str


def create_sample_requests(site: SiteUnderTest) -> SampleRequests:
    """Create the sample requests over the API."""
    harness = site.harness
    asked = {status: request_in_status(harness, status) for status in STEPS_TO_STATUS}
    passing = {status: request_in_status(harness, status) for status in ("submitted", "verified", "in_progress")}
    papers = [("letter", sample_documents.letter(sample_request(SEED, 0, TODAY))), ("requirements", LETTER)]
    sent = harness.submit(papers, employee_number=ODD_NUMBER, name="Siti Perumpamaan")
    odd = SubmittedRequest.of(harness, sent).wait_for_status("submitted")
    advised = request_in_status(harness, "submitted")
    assert STEPS["recommendation"](advised).status_code == 200
    wait_until(lambda: "Sudah tidak diperlukan." in str(advised.seen()[2]))
    delivered = asked["delivered"].number
    with ThreadPoolExecutor(1) as aside:  # the browser has a loop here
        code = aside.submit(asyncio.run, _behind(harness.server.data, asked["verified"].id, delivered)).result()
    return SampleRequests(site, asked, odd, advised, passing, f"/periksa/BAST-{delivered}-1?kode={code}")


async def _behind(data: Path, parked: str, delivered: str) -> str:
    """Park an event of one request, and return the code on the handover record of the other."""
    platform = open_platform(Settings(data=data))
    await platform.prepare()
    event = b'{"type": "RequestVerified", "source": "verification", "sequence": 7}'
    letter = DeadLetter(PARKED, "verification", parked, "1", event, "KeyError: 'checklist'", 5, platform.clock())
    await platform.state_store("verification", ()).park([letter])
    await platform.close()
    return platform.tracking.record_code(f"BAST/{delivered}/1")
