"""What an applicant may do without files, each on a page of its own: answer, confirm, object, withdraw, judge."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter
from pydantic import Field, create_model
from starlette.requests import Request

from services.intake.desk import Desk
from services.intake.domain import (
    ELEMENTS,
    MARKS,
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    WithdrawRequest,
)
from services.intake.fields import Nothing, Reason, Reply, Survey
from services.intake.keyed_pages import Keyed, StepPage, page
from services.intake.state import State
from shared.runtime.execution import Kept
from shared.web import shapes
from shared.web.access import public
from shared.web.bodies import FieldError, Fields
from shared.web.commands import LONGEST_TEXT, OptionalText
from shared.web.page_routes import add_form
from shared.web.posted import Posted
from shared.web.problems import Problem, invalid

PAUSE, DELIVERY = "pause", "delivery"
"""The number of what the page showed, so that nothing else is answered or confirmed by it."""


def add_action_pages(routes: APIRouter, keyed: Keyed) -> None:
    for step in (Answer, Confirm, Contest, Withdraw, Judge):
        add_form(routes, f"/lacak/{{number}}/{step.action}", StepPage(keyed, step(keyed.desk)), public())


class Plain:
    """A step without files."""

    def __init__(self, desk: Desk):
        self._desk = desk

    async def held(self, request: Request, posted: Posted, kept: Kept[State]) -> Posted:
        return posted


class Answer(Plain):
    action, template = "jawab", "answer.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"pause": state.pause, "lead": state.lead.name if state.lead else "", "most": LONGEST_TEXT}

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        reply, asked = posted.judged(Reply, PAUSE), posted.text(PAUSE)
        await self._desk.obey(request, kept, AnswerQuestion(reply.text, _number(asked)), reply, asked)
        return True


class Confirm(Plain):
    action, template = "konfirmasi", "confirm.html"

    def facts(self, state: State) -> dict[str, Any]:
        return _handed_over(state)

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        posted.judged(Nothing, DELIVERY)
        seen = posted.text(DELIVERY)
        await self._desk.obey(request, kept, ConfirmHandover(_number(seen)), seen)
        return True


class Contest(Plain):
    action, template = "keberatan", "contest.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {**_handed_over(state), "most": LONGEST_TEXT}

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        reason, seen = posted.judged(Reason, DELIVERY), posted.text(DELIVERY)
        await self._desk.obey(request, kept, ContestHandover(reason.reason, _number(seen)), reason, seen)
        return True


class Withdraw(Plain):
    action, template = "batalkan", "withdraw.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"most": LONGEST_TEXT}

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        reason = posted.judged(Reason)
        await self._desk.obey(request, kept, WithdrawRequest(reason.reason), reason)
        return True


PLACES = tuple(f"u{place}" for place in range(1, ELEMENTS + 1))
_mark = (Annotated[int, Field(ge=MARKS.start, lt=MARKS.stop)], ...)
Marks = create_model(
    "Marks", __base__=Fields, comment=(OptionalText, ""), **cast(dict[str, Any], dict.fromkeys(PLACES, _mark))
)
"""The survey as its page sends it: one field for each element."""


class Judge(Plain):
    action, template = "survei", "survey.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"elements": list(zip(PLACES, page.words.survey.elements, strict=True)), "most": LONGEST_TEXT}

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        try:
            told = posted.judged(Marks)
        except Problem as problem:
            raise invalid(_one_of_four(problem)) from problem
        survey = Survey(answers=tuple(getattr(told, place) for place in PLACES), comment=getattr(told, "comment"))  # noqa: B009
        await self._desk.obey(request, kept, AnswerSurvey(survey.answers, survey.comment), survey)
        return True


def _one_of_four(problem: Problem) -> list[FieldError]:
    unanswered = page.words.survey.unanswered
    return [FieldError(each.field, unanswered) if each.field in PLACES else each for each in problem.errors]


def _handed_over(state: State) -> dict[str, Any]:
    delivery = state.delivery
    return {"delivery": delivery, "documents": shapes.documents(delivery.documents) if delivery else []}


def _number(text: str) -> int | None:
    """The number that a page sent along; whoever sends none means what is current."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
