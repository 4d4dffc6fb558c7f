"""The overdue board of the structural head, which officers see too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.assignment.dependencies import Assignment, BoardReader, Context, Head, require_head
from services.assignment.domain.commands import RemindResponsible
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.overdue_board import (
    LONG_OVERDUE_DAYS,
    MAX_LIST_REQUESTS,
    MAX_STAGE_REQUESTS,
    OFFICE_STAGES,
    Board,
    OverdueStage,
    ResponsibleParty,
)
from services.assignment.pages import QUEUE_PATH
from services.assignment.pages.staff_page import StaffPage
from services.assignment.presenters import present_responsible
from shared.contracts.lifecycle import Status
from shared.contracts.stages import APPLICANT, Stage, StageRules, stage_clock
from shared.identity.accounts import Role
from shared.runtime.executor import Loaded
from shared.web.api.lists import ListQuery, encode_cursor
from shared.web.api.problems import Problem
from shared.web.api.validation import EmptyBody
from shared.web.forms.posted_form import PostedForm
from shared.web.forms.text_fields import STRIP_INVISIBLE
from shared.web.views.navigation import OVERDUE, page_url
from shared.web.views.page_routes import PageRoute, add_form_action, see_other

VERIFICATION_PATH = "/verifikasi"
REMINDERS, REMINDER_LIFETIME = "reminders", timedelta(days=2)
"""By day and who has to act, the staff who were reminded from the board."""
MAX_REMINDERS = 50
"""Applicants who are reminded at once."""
STATUS_BY_STAGE: dict[Stage, Status] = {
    Stage.VERIFY: Status.SUBMITTED,
    Stage.APPOINT: Status.VERIFIED,
    Stage.START: Status.ASSIGNED,
    Stage.CONFIRM: Status.DELIVERED,
}
"""The status whose working days are the limit of a stage; the others have a date of their own."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class BoardQuery(ListQuery):
    """`stage` and `responsible` show one stage, or one who has to act; `show` selects long overdue ones, or our own turn."""

    stage: Stage | None = None
    responsible: Annotated[str, STRIP_INVISIBLE] = Field("", max_length=120)
    show: Literal["", "long", "ours"] = ""
    done: str = Field("", max_length=20)
    count: int = Field(0, ge=0, le=MAX_REMINDERS)

    @property
    def stages(self) -> tuple[Stage, ...]:
        if self.stage:
            return (self.stage,)
        return OFFICE_STAGES if self.show == "ours" else tuple(Stage)


@dataclass
class OverduePage(StaffPage):
    """Everything that is overdue, in six stages, then by the one responsible."""

    principal: BoardReader

    async def show(self, query: BoardQuery) -> HTMLResponse:
        is_one_stage = query.stage is not None
        board = await self.assignment.overdue.load(
            MAX_LIST_REQUESTS if is_one_stage else MAX_STAGE_REQUESTS,
            stages=query.stages,
            responsible=query.responsible,
            long_overdue=query.show == "long",
            after=query.after_key if is_one_stage else None,
        )
        is_head = self.principal.has_role(Role.STRUCTURAL)
        return await self.render(
            "overdue.html",
            board=board,
            chips=await self._chips(query),
            columns=[self._column(stage, board, query) for stage in board.stages],
            people=[self._person(person, board) for person in board.people],
            totals={stage: sum(person.counts[stage] for person in board.people) for stage in Stage},
            longest=max((board.overdue_days(person.oldest) for person in board.people), default=0),
            may_remind=is_head,
            all_stages=tuple(Stage),
            long_overdue=LONG_OVERDUE_DAYS,
            is_filtered=is_one_stage or bool(query.responsible),
            board_url=OVERDUE,
            message=WORDS.overdue.done[query.done].format(count=query.count)
            if query.done in WORDS.overdue.done
            else "",
        )

    async def _chips(self, query: BoardQuery) -> list[tuple[str, str, bool]]:
        words: Any = WORDS.overdue
        count = self.assignment.overdue.count
        is_filtered = query.stage or query.responsible
        return [
            (words.all, OVERDUE, not query.show and not is_filtered),
            (
                words.long.format(days=LONG_OVERDUE_DAYS, count=await count(long_overdue=True)),
                page_url(OVERDUE, show="long"),
                query.show == "long",
            ),
            (
                words.ours.format(count=await count(*OFFICE_STAGES)),
                page_url(OVERDUE, show="ours"),
                query.show == "ours",
            ),
        ]

    def _column(self, stage: OverdueStage, board: Board, query: BoardQuery) -> dict[str, Any]:
        days = [board.overdue_days(loaded) for loaded in stage.requests]
        more = stage.count - len(stage.requests)
        return {
            "stage": stage.stage,
            "count": stage.count,
            "limit": _limit_text(stage.stage, board.rules),
            "longest": max(days, default=0),
            "cards": [self._card(loaded, late) for loaded, late in zip(stage.requests, days, strict=True)],
            "more": more if not query.stage else 0,
            "more_url": page_url(OVERDUE, stage=stage.stage, responsible=query.responsible, show=query.show),
            "next": page_url(
                OVERDUE,
                stage=stage.stage,
                responsible=query.responsible,
                show=query.show,
                after=encode_cursor(stage.next),
            )
            if query.stage and stage.next
            else "",
        }

    def _card(self, loaded: Loaded[State], late: int) -> dict[str, Any]:
        state = loaded.state
        path = QUEUE_PATH if self.principal.has_role(Role.STRUCTURAL) else VERIFICATION_PATH
        clock = stage_clock(state, self.assignment.rules)
        return {
            "id": loaded.id,
            "url": f"{path}/{loaded.id}",
            "about": state.description,
            "number": state.number,
            "late": late,
            "person": _responsible_name(state, clock.stage if clock else None),
        }

    def _person(self, party: ResponsibleParty, board: Board) -> dict[str, Any]:
        cells = [(party.counts[stage], page_url(OVERDUE, stage=stage, responsible=party.key)) for stage in Stage]
        return {**present_responsible(party, board), "role": party.role, "cells": cells}


def _responsible_name(state: State, stage: Stage | None) -> str:
    """Return the name of the person who has to act, "" if a role has to."""
    match stage:
        case Stage.VERIFY:
            return state.active_claim.officer.name if state.active_claim else ""
        case Stage.START | Stage.WORK:
            return state.lead.name if state.lead else ""
        case Stage.REPLY | Stage.CONFIRM:
            return state.applicant.name if state.applicant else ""
    return ""


def _limit_text(stage: Stage, rules: StageRules) -> str:
    words: Any = WORDS.overdue
    status = STATUS_BY_STAGE.get(stage)
    if status is not None:
        return str(words.limit.format(days=rules.days_of(status)))
    return str(words.by_target if stage is Stage.WORK else words.by_letter)


@router.get(OVERDUE)
async def show_board(query: Annotated[BoardQuery, Query()], page: Annotated[OverduePage, Depends()]) -> Response:
    """Show the board."""
    return await page.show(query)


class RemindPage:
    """The button that reminds one who has to act, once a day at most."""

    def __init__(self, request: Request, head: Head, assignment: Assignment, context: Context) -> None:
        self.board = OverduePage(request, head, assignment, context)
        self.head, self.assignment, self.context = head, assignment, context

    async def show(self, _posted: PostedForm) -> Response:
        return await self.board.show(BoardQuery())

    async def submit(self, posted: PostedForm) -> Response:
        """Remind staff of their longest overdue request and the number of others, applicants each of their own."""
        responsible = posted.text("responsible")
        if responsible == APPLICANT:
            requests = await self.assignment.overdue.unreminded_requests_of(responsible, MAX_REMINDERS)
            sent = sum([await self._remind(loaded, 0) for loaded in requests])
        else:
            sent = await self._remind_staff(responsible)
        return see_other(page_url(OVERDUE, done="reminded" if sent else "reminded_before", count=sent))

    async def _remind_staff(self, responsible: str) -> int:
        """Remind staff unless they were reminded today, also of a request that somebody has dealt with since."""
        platform, overdue = self.assignment.platform, self.assignment.overdue
        key = f"{self.assignment.today().isoformat()}/{responsible}"
        requests = await overdue.requests_of(responsible, 1)
        if not requests or await platform.office.get(REMINDERS, key):
            return 0
        sent = await self._remind(requests[0], await overdue.count_of(responsible) - 1)
        if sent:
            await platform.office.put(REMINDERS, key, {}, expires_at=platform.clock() + REMINDER_LIFETIME)
        return sent

    async def _remind(self, loaded: Loaded[State], others: int) -> int:
        command = RemindResponsible(self.head.staff, others)
        try:
            await self.assignment.execute(self.context, loaded.id, command, EmptyBody())
        except Problem as problem:
            if problem.extra.get("code") in ("reminded_today", "not_overdue"):
                return 0
            raise
        return 1


add_form_action(router, OVERDUE, RemindPage, require_head)
