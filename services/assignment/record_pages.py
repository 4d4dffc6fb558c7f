"""The page that the QR code of a handover record opens: whether the record is valid, and nothing about any person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Depends, Request, Response

from services.assignment.desk import Desk
from services.assignment.state import State
from shared.calendar import today
from shared.contracts.course import Status
from shared.contracts.facts import DocumentKind
from shared.runtime.execution import Executor
from shared.web.access import public
from shared.web.page_routes import PageRoute
from shared.web.rendering import Pages

_page = Pages("services.assignment")

NUMBER = re.compile(r"BAST-(INT-\d{4}-\d{6,12})-([1-9]\d{0,3})")
STANDING = frozenset({Status.DELIVERED, Status.COMPLETED})
HIDDEN = {"X-Robots-Tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class IssuedRecord:
    """A handover record that was issued. `valid` until an objection or a later record; then no digests are told."""

    number: str
    day: date
    valid: bool
    confirmed: bool
    sha256: str = ""
    results: tuple[str, ...] = ()


def router(desk: Desk) -> APIRouter:
    """The route under /periksa."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get("/periksa/{name}", dependencies=[Depends(public())])
    async def check_record(name: str, request: Request) -> Response:
        """Only who holds the record knows its code; a number alone tells nothing."""
        code = request.query_params.get("kode", "")
        match = NUMBER.fullmatch(name)
        number = f"BAST/{match[1]}/{match[2]}" if match else ""
        known = match is not None and desk.platform.tracking.proves(number, code)
        record = await issued(desk.executor, match[1], int(match[2])) if match and known else None
        answer = _page(request, "handover_record.html", 200 if record else 404, record=record)
        answer.headers.update(HIDDEN)
        return answer

    return routes


async def issued(executor: Executor[State], request_number: str, delivery: int) -> IssuedRecord | None:
    """The record of this delivery of a request, None if there is none."""
    kept = await executor.find_one("number", request_number)
    return issued_record(kept.state, delivery) if kept else None


def issued_record(state: State, delivery: int) -> IssuedRecord | None:
    handovers = [entry for entry in state.history if entry.event == "WorkCompleted"]
    if not 1 <= delivery <= len(handovers):
        return None
    number, day = f"BAST/{state.number}/{delivery}", today(handovers[delivery - 1].time)
    if delivery != state.course.delivery or state.status not in STANDING:
        return IssuedRecord(number, day, valid=False, confirmed=False)
    record = next((each.sha256 for each in state.results if each.kind is DocumentKind.HANDOVER_RECORD), "")
    results = tuple(each.sha256 for each in state.results if each.kind is DocumentKind.RESULT)
    confirmed = state.status is Status.COMPLETED
    return IssuedRecord(number, day, valid=True, confirmed=confirmed, sha256=record, results=results)
