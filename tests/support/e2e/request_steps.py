"""The steps of a request by name over the API, and the steps to each status."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.support.e2e.server_session import ALL_OK, FILES, LETTER, TARGET, ServerHarness, SubmittedRequest

LETTER_REJECTED = [{"item": "letter", "ok": False, "note": "Belum ditandatangani."}, ALL_OK[0], *ALL_OK[2:]]
ASSIGN = {"lead": "dewi", "complexity": "low", "target_date": TARGET}
RESULT = {"data": {"summary": "Selesai."}, "files": [("documents", LETTER)]}
REASON = {"reason": "Sudah tidak diperlukan."}

Step = Callable[[SubmittedRequest], httpx.Response]
STEPS: dict[str, Step] = {
    "withdrawal": lambda asked: asked.act_as_applicant("withdrawal", REASON),
    "resubmission": lambda asked: asked.act_as_applicant("resubmission", files=FILES[:1]),
    "answer": lambda asked: asked.act_as_applicant("answer", {"text": "Sudah."}),
    "confirmation": lambda asked: asked.act_as_applicant("confirmation"),
    "objection": lambda asked: asked.act_as_applicant("objection", REASON),
    "survey": lambda asked: asked.act_as_applicant("survey", {"answers": [4] * 9}),
    "verification": lambda asked: asked.step("nurlaila", "verification", {"checklist": ALL_OK}),
    "return": lambda asked: asked.step("nurlaila", "return", {"checklist": LETTER_REJECTED}),
    "recommendation": lambda asked: asked.step("nurlaila", "recommendation", REASON),
    "rejection": lambda asked: asked.step("hasan", "rejection", REASON),
    "assignment": lambda asked: asked.step("hasan", "assignment", ASSIGN),
    "reassignment": lambda asked: asked.step("hasan", "reassignment", {"lead": "yusuf", **REASON}),
    "start": lambda asked: asked.step("dewi", "start"),
    "progress": lambda asked: asked.step("dewi", "progress", {"note": "Uji."}),
    "pause": lambda asked: asked.step("dewi", "pause", {"question": "Alamat?"}),
    "resume": lambda asked: asked.step("dewi", "resume"),
    "completion": lambda asked: asked.step("dewi", "completion", **RESULT),
}
STEPS_TO_STATUS: dict[str, tuple[str, ...]] = {
    "submitted": (),
    "returned": ("return",),
    "verified": ("verification",),
    "assigned": ("verification", "assignment"),
    "in_progress": ("verification", "assignment", "start"),
    "on_hold": ("verification", "assignment", "start", "pause"),
    "delivered": ("verification", "assignment", "start", "completion"),
    "completed": ("verification", "assignment", "start", "completion", "confirmation"),
    "rejected": ("rejection",),
    "withdrawn": ("verification", "assignment", "withdrawal"),
}
STATUS_AFTER_STEP = {
    "return": "returned",
    "verification": "verified",
    "assignment": "assigned",
    "start": "in_progress",
    "pause": "on_hold",
    "completion": "delivered",
    "confirmation": "completed",
    "rejection": "rejected",
    "withdrawal": "withdrawn",
}


def request_in_status(simpul: ServerHarness, status: str) -> SubmittedRequest:
    """Return a request in this status that every service has consumed."""
    asked = simpul.submitted().wait_for_status("submitted")
    for step in STEPS_TO_STATUS[status]:
        answer = STEPS[step](asked)
        assert answer.status_code == 200, (step, answer.text)
        asked.wait_for_status(STATUS_AFTER_STEP[step])
    return asked
