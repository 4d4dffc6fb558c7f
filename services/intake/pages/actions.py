"""What an applicant may do without files, each on a page of its own: answer, confirm, object, withdraw, judge."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter
from pydantic import Field, create_model
from starlette.requests import Request

from services.intake.domain.commands import (
    SURVEY_ELEMENTS,
    SURVEY_SCORES,
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    WithdrawRequest,
)
from services.intake.domain.state import State
from services.intake.pages.request_pages import ActionPage, TrackingAccess, page
from services.intake.schemas import AnswerBody, EmptyBody, ReasonBody, SurveyBody
from services.intake.service import IntakeService
from shared.runtime.executor import Loaded
from shared.web.api import serializers
from shared.web.api.commands import MAX_TEXT_LENGTH, OptionalText
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, InputModel
from shared.web.auth.access import public
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import add_form

PAUSE_FIELD, DELIVERY_FIELD = "pause", "delivery"
"""The number of what the page showed, so that nothing else is answered or confirmed by it."""


def add_action_routes(routes: APIRouter, keyed: TrackingAccess) -> None:
    for step in (AnswerAction, ConfirmAction, ContestAction, WithdrawAction, SurveyAction):
        add_form(routes, f"/lacak/{{number}}/{step.action}", ActionPage(keyed, step(keyed.desk)), public())


class ActionWithoutFiles:
    """A step without files."""

    def __init__(self, desk: IntakeService) -> None:
        self._desk = desk

    async def held(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> PostedForm:
        return posted


class AnswerAction(ActionWithoutFiles):
    action, template = "jawab", "answer.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"pause": state.pause, "lead": state.lead.name if state.lead else "", "most": MAX_TEXT_LENGTH}

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        reply, asked = posted.validate(AnswerBody, PAUSE_FIELD), posted.text(PAUSE_FIELD)
        await self._desk.execute_command(request, loaded, AnswerQuestion(reply.text, _number(asked)), reply, asked)
        return True


class ConfirmAction(ActionWithoutFiles):
    action, template = "konfirmasi", "confirm.html"

    def facts(self, state: State) -> dict[str, Any]:
        return _delivery_context(state)

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        posted.validate(EmptyBody, DELIVERY_FIELD)
        seen = posted.text(DELIVERY_FIELD)
        await self._desk.execute_command(request, loaded, ConfirmHandover(_number(seen)), seen)
        return True


class ContestAction(ActionWithoutFiles):
    action, template = "keberatan", "contest.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {**_delivery_context(state), "most": MAX_TEXT_LENGTH}

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        reason, seen = posted.validate(ReasonBody, DELIVERY_FIELD), posted.text(DELIVERY_FIELD)
        await self._desk.execute_command(request, loaded, ContestHandover(reason.reason, _number(seen)), reason, seen)
        return True


class WithdrawAction(ActionWithoutFiles):
    action, template = "batalkan", "withdraw.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"most": MAX_TEXT_LENGTH}

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        reason = posted.validate(ReasonBody)
        await self._desk.execute_command(request, loaded, WithdrawRequest(reason.reason), reason)
        return True


SURVEY_FIELDS = tuple(f"u{place}" for place in range(1, SURVEY_ELEMENTS + 1))
_score = (Annotated[int, Field(ge=SURVEY_SCORES.start, lt=SURVEY_SCORES.stop)], ...)
SurveyForm = create_model(
    "Marks",
    __base__=InputModel,
    comment=(OptionalText, ""),
    **cast(dict[str, Any], dict.fromkeys(SURVEY_FIELDS, _score)),
)
"""The survey as its page sends it: one field for each element."""


class SurveyAction(ActionWithoutFiles):
    action, template = "survei", "survey.html"

    def facts(self, state: State) -> dict[str, Any]:
        return {"elements": list(zip(SURVEY_FIELDS, page.words.survey.elements, strict=True)), "most": MAX_TEXT_LENGTH}

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        try:
            told = posted.validate(SurveyForm)
        except Problem as problem:
            raise validation_problem(_unanswered_errors(problem)) from problem
        survey = SurveyBody(
            answers=tuple(getattr(told, place) for place in SURVEY_FIELDS), comment=getattr(told, "comment", "")
        )
        await self._desk.execute_command(request, loaded, AnswerSurvey(survey.answers, survey.comment), survey)
        return True


def _unanswered_errors(problem: Problem) -> list[FieldError]:
    unanswered = page.words.survey.unanswered
    return [FieldError(each.field, unanswered) if each.field in SURVEY_FIELDS else each for each in problem.errors]


def _delivery_context(state: State) -> dict[str, Any]:
    delivery = state.delivery
    return {"delivery": delivery, "documents": serializers.documents(delivery.documents) if delivery else []}


def _number(text: str) -> int | None:
    """The number that a page sent along; whoever sends none means what is current."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
