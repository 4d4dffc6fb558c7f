"""The page that the QR code of a handover record opens: it shows whether the record is valid, and no personal data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Depends, Request, Response

from services.assignment.dependencies import Assignment
from services.assignment.domain.state import State
from services.assignment.pages import templates
from shared.calendar import today
from shared.contracts.facts import DocumentKind
from shared.contracts.lifecycle import Status
from shared.runtime.executor import Executor
from shared.web.auth.access import public
from shared.web.views.page_routes import PageRoute

RECORD_NUMBER = re.compile(r"BAST-(INT-\d{4}-\d{6,12})-([1-9]\d{0,3})")
STATUSES_WITH_VALID_RECORD = frozenset({Status.DELIVERED, Status.COMPLETED})
NO_INDEX_HEADERS = {"X-Robots-Tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class IssuedRecord:
    """An issued handover record; an objection or a later record makes it invalid, and digests are shown only of a valid one."""

    number: str
    day: date
    valid: bool
    confirmed: bool
    sha256: str = ""
    results: tuple[str, ...] = ()


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/periksa/{name}", dependencies=[Depends(public())])
async def check_record(name: str, request: Request, assignment: Assignment) -> Response:
    """Show whether a record is valid; its number alone, without the code in the QR code, shows nothing."""
    code = request.query_params.get("kode", "")
    match = RECORD_NUMBER.fullmatch(name)
    number = f"BAST/{match[1]}/{match[2]}" if match else ""
    is_authentic = match is not None and assignment.platform.tracking.verify_record_code(number, code)
    record = await find_issued_record(assignment.executor, match[1], int(match[2])) if match and is_authentic else None
    response = templates(request, "handover_record.html", 200 if record else 404, record=record)
    response.headers.update(NO_INDEX_HEADERS)
    return response


async def find_issued_record(executor: Executor[State], request_number: str, delivery: int) -> IssuedRecord | None:
    """Return the record of a delivery, None if there is none."""
    loaded = await executor.find_one("number", request_number)
    return issued_record(loaded.state, delivery) if loaded else None


def issued_record(state: State, delivery: int) -> IssuedRecord | None:
    handovers = [entry for entry in state.history if entry.event == "WorkCompleted"]
    if not 1 <= delivery <= len(handovers):
        return None
    number, day = f"BAST/{state.number}/{delivery}", today(handovers[delivery - 1].time)
    if delivery != state.course.delivery or state.status not in STATUSES_WITH_VALID_RECORD:
        return IssuedRecord(number, day, valid=False, confirmed=False)
    record = next((document.sha256 for document in state.results if document.kind is DocumentKind.HANDOVER_RECORD), "")
    results = tuple(document.sha256 for document in state.results if document.kind is DocumentKind.RESULT)
    confirmed = state.status is Status.COMPLETED
    return IssuedRecord(number, day, valid=True, confirmed=confirmed, sha256=record, results=results)
