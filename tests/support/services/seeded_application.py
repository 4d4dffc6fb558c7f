"""All services in one application with a request in each of several statuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from simpul.registry import SERVICE_NAMES
from tests.support.services.intake_harness import FILES, FORM
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import ManualClock, StaffHarness

OFFICER, STRUCTURAL, TECHNICAL, ADMIN = "nurlaila", "hasan", "dewi", "admin"
CHECKLIST = [{"item": item, "ok": True} for item in ("form", "letter", "scope", "documents")]
RETURN = [{"item": "letter", "ok": False, "note": "Belum ditandatangani."}, CHECKLIST[0], *CHECKLIST[2:]]
ASSIGNMENT = {"lead": TECHNICAL, "complexity": "low", "target_date": "2026-12-14"}
Step = tuple[str, str, str, dict[str, Any], str]
"""Account, service, step, body and resulting status."""
VERIFY: Step = (OFFICER, "verification", "verification", {"checklist": CHECKLIST}, "verified")
SEND_BACK: Step = (OFFICER, "verification", "return", {"checklist": RETURN}, "returned")
ASSIGN: Step = (STRUCTURAL, "assignment", "assignment", ASSIGNMENT, "assigned")
START: Step = (TECHNICAL, "assignment", "start", {}, "in_progress")
PAUSE: Step = (TECHNICAL, "assignment", "pause", {"question": "Alamat server uji?"}, "on_hold")
STEPS: dict[str, tuple[Step, ...]] = {
    "submitted": (),
    "returned": (SEND_BACK,),
    "verified": (VERIFY,),
    "in_progress": (VERIFY, ASSIGN, START),
    "on_hold": (VERIFY, ASSIGN, START, PAUSE),
}


@dataclass(frozen=True)
class SeededRequest:
    """`documents` are the ids of its documents, the letter first."""

    id: str
    number: str
    token: str
    documents: tuple[str, ...]


@dataclass
class SeededApplication:
    harness: StaffHarness
    requests: Mapping[str, SeededRequest] = field(default_factory=dict)

    @property
    def app(self) -> FastAPI:
        return self.harness.app

    def examples(self, status: str = "in_progress") -> dict[str, str]:
        """Return a value for each path parameter, all of one request."""
        request = self.requests[status]
        return {
            "substitute_id": "none",
            "view_id": "none",
            "number": request.number,
            "id": request.id,
            "request_id": request.id,
            "document_id": request.documents[0],
            "page": "1",
            "username": TECHNICAL,
            "name": "simpul.css",
            "message_id": "00000000-0000-4000-8000-000000000000",
            "letter_id": "intake:0",
            "kind": "csv",
            "change": "0",
            "day": "2026-12-01",
            "scope": "data",
        }


def credentials(who: str, request: SeededRequest) -> dict[str, str]:
    """Return the headers of a member of staff, of the `applicant` of this request, or of nobody ("")."""
    if not who:
        return {}
    token = request.token if who == "applicant" else f"token of {who}"
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def seeded_application(folder: Path, **settings: Any) -> AsyncIterator[SeededApplication]:
    async with services_harness(folder, *SERVICE_NAMES, clock=ManualClock(), docs="open", **settings) as harness:
        seeded = SeededApplication(harness)
        seeded.requests = {status: await _moved(harness, status, steps) for status, steps in STEPS.items()}
        yield seeded


async def _moved(harness: StaffHarness, status: str, steps: tuple[Step, ...]) -> SeededRequest:
    made = await _submitted(harness, f"{status}@dishub.example")
    request_id = str(made["id"])
    for who, service, step, body, reached in steps:
        await harness.wait_until(wait_until_known(harness, service, who, request_id))
        answer = await harness.post(who, f"/api/{service}/requests/{request_id}/{step}", body)
        assert answer.status_code == 200, (step, answer.text)
        for name in SERVICE_NAMES:
            if name != "notification":
                await harness.wait_for_status(name, reached, request_id)
    token = str(made["tracking_token"])
    async with harness.http as client:
        found = await client.get(f"/api/requests/{made['number']}", headers={"Authorization": f"Bearer {token}"})
    documents = tuple(str(document["id"]) for document in found.json()["documents"])
    return SeededRequest(request_id, str(made["number"]), token, documents)


async def _submitted(harness: StaffHarness, email: str) -> dict[str, Any]:
    async with harness.http as client:
        answer = await client.post("/api/requests", data={**FORM, "email": email}, files=list(FILES))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    for name in SERVICE_NAMES:
        if name != "notification":
            await harness.wait_for_status(name, "submitted", made["id"])
    return made


def wait_until_known(harness: StaffHarness, service: str, who: str, request_id: str) -> Any:
    async def there() -> bool:
        shown: httpx.Response = await harness.get(who, f"/api/{service}/requests/{request_id}")
        return shown.status_code == 200

    return there
