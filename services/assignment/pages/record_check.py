"""The page that the QR code of a handover record opens: whether the record is valid, and nothing about any person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Depends, Request, Response

from services.assignment.domain.state import State
from services.assignment.service import AssignmentService
from shared.calendar import today
from shared.contracts.facts import DocumentKind
from shared.contracts.lifecycle import Status
from shared.runtime.executor import Executor
from shared.web.auth.access import public
from shared.web.views.page_routes import PageRoute
from shared.web.views.rendering import Templates

_page = Templates("services.assignment")

RECORD_NUMBER = re.compile(r"BAST-(INT-\d{4}-\d{6,12})-([1-9]\d{0,3})")
STATUSES_WITH_VALID_RECORD = frozenset({Status.DELIVERED, Status.COMPLETED})
NO_INDEX_HEADERS = {"X-Robots-Tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class IssuedRecord:
    """A handover record that was issued. `valid` until an objection or a later record; then no digests are told."""

    number: str
    day: date
    valid: bool
    confirmed: bool
    sha256: str = ""
    results: tuple[str, ...] = ()


def router(desk: AssignmentService) -> APIRouter:
    """The route under /periksa."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get("/periksa/{name}", dependencies=[Depends(public())])
    async def check_record(name: str, request: Request) -> Response:
        """Only who holds the record knows its code; a number alone tells nothing."""
        code = request.query_params.get("kode", "")
        match = RECORD_NUMBER.fullmatch(name)
        number = f"BAST/{match[1]}/{match[2]}" if match else ""
        is_authentic = match is not None and desk.platform.tracking.verify_record_code(number, code)
        record = await find_issued_record(desk.executor, match[1], int(match[2])) if match and is_authentic else None
        response = _page(request, "handover_record.html", 200 if record else 404, record=record)
        response.headers.update(NO_INDEX_HEADERS)
        return response

    return routes


async def find_issued_record(executor: Executor[State], request_number: str, delivery: int) -> IssuedRecord | None:
    """The record of this delivery of a request, None if there is none."""
    loaded = await executor.find_one("number", request_number)
    return issued_record(loaded.state, delivery) if loaded else None


def issued_record(state: State, delivery: int) -> IssuedRecord | None:
    handovers = [entry for entry in state.history if entry.event == "WorkCompleted"]
    if not 1 <= delivery <= len(handovers):
        return None
    number, day = f"BAST/{state.number}/{delivery}", today(handovers[delivery - 1].time)
    if delivery != state.course.delivery or state.status not in STATUSES_WITH_VALID_RECORD:
        return IssuedRecord(number, day, valid=False, confirmed=False)
    record = next((each.sha256 for each in state.results if each.kind is DocumentKind.HANDOVER_RECORD), "")
    results = tuple(each.sha256 for each in state.results if each.kind is DocumentKind.RESULT)
    confirmed = state.status is Status.COMPLETED
    return IssuedRecord(number, day, valid=True, confirmed=confirmed, sha256=record, results=results)
