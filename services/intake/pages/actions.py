"""The actions of applicants without files: answer, confirm, contest, withdraw, and the survey, each on a page of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from services.intake.dependencies import Intake, TrackedRequestOrNone, tracking_path
from services.intake.domain.commands import (
    SURVEY_ELEMENTS,
    AnswerQuestion,
    AnswerSurvey,
    Command,
    ConfirmHandover,
    ContestHandover,
    WithdrawRequest,
)
from services.intake.domain.state import State
from services.intake.pages import not_found_page, templates
from services.intake.pages.messages import problem_with_instructions
from services.intake.presenters import closed_action_refusal, deadlines, open_actions
from services.intake.schemas import AnswerBody, ReasonBody, SurveyBody, SurveyScore
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.text.cleaning import parse_number
from shared.web.api import serializers
from shared.web.api.commands import MAX_TEXT_LENGTH, OptionalText, conflict_message
from shared.web.api.idempotency import command_context
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import EmptyBody, FieldError, InputModel, RequestBody
from shared.web.auth.access import public
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

PAUSE_FIELD, DELIVERY_FIELD = "pause", "delivery"
"""Hidden fields with the number of the pause or delivery that the page showed, so that a form never refers to another."""
TYPED_FIELDS = ("text", "reason", "comment")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class ActionPage(ABC):
    """The page of an action: for the holder of the tracking token, while the action is open."""

    action: ClassVar[str]
    template: ClassVar[str]

    def __init__(self, request: Request, loaded: TrackedRequestOrNone, intake: Intake) -> None:
        self._request = request
        self._loaded = loaded
        self._intake = intake

    def context(self, _state: State) -> Mapping[str, Any]:
        """Return what the template shows beside the form."""
        return {}

    @abstractmethod
    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        """Perform the action; False if the form only asks to be shown again. Raises Problem and Refusal."""

    async def restore_files(self, _loaded: Loaded[State], posted: PostedForm) -> PostedForm:
        """Return the form with the files that were uploaded for it."""
        return posted

    async def show(self, posted: PostedForm) -> HTMLResponse:
        loaded = self._loaded
        if loaded is not None and posted.problem is not None:
            loaded = await self._intake.executor.read(loaded.id)  # it may have changed since the form was refused
        return await self._render(loaded, posted) if loaded else not_found_page(self._request)

    async def submit(self, posted: PostedForm) -> Response:
        loaded = self._loaded
        if loaded is None:
            return not_found_page(self._request)
        try:
            done = await self.perform(loaded, posted)
        except Refusal as refusal:
            problem = await self._intake.refusal_problem(refusal, loaded.id)
            raise problem_with_instructions(problem, self.action) from refusal
        except Problem as problem:
            raise problem_with_instructions(problem, self.action) from problem
        if not done:
            return await self._render(loaded, posted)
        return see_other(f"{tracking_path(loaded.state.number)}?sudah={self.action}")

    async def _execute(self, loaded: Loaded[State], command: Command, *content: RequestBody | str) -> bool:
        await self._intake.execute(command_context(self._request), loaded, command, *content)
        return True

    async def _render(self, loaded: Loaded[State], posted: PostedForm) -> HTMLResponse:
        state = loaded.state
        if self.action not in open_actions(state, self._intake.today()):
            return await self._render_conflict(loaded, posted)
        return templates(
            self._request,
            self.template,
            posted=await self.restore_files(loaded, posted),
            number=state.number,
            status=state.status.value,
            version=loaded.version,
            deadline=next(iter(deadlines(state).values()), None),
            max_length=MAX_TEXT_LENGTH,
            **self.context(state),
        )

    async def _render_conflict(self, loaded: Loaded[State], posted: PostedForm) -> HTMLResponse:
        """Say what happened to the request that closed the action, and give back what was typed."""
        refusal = closed_action_refusal(loaded.state, self.action)
        problem = posted.problem or await self._intake.refusal_problem(refusal, loaded.id)
        not_sent = refusal.code == "moved_on" and not posted.sent
        return templates(
            self._request,
            "moved.html",
            409,
            posted=PostedForm(),
            number=loaded.state.number,
            detail=conflict_message(refusal) if not_sent else problem.detail,
            typed=[text for name, texts in posted.texts.items() if name in TYPED_FIELDS for text in texts],
        )


class AnswerPage(ActionPage):
    action, template = "jawab", "answer.html"

    def context(self, state: State) -> Mapping[str, Any]:
        return {"pause": state.pause, "lead": state.lead.name if state.lead else ""}

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        answer, pause = posted.validate(AnswerBody, PAUSE_FIELD), posted.text(PAUSE_FIELD)
        return await self._execute(loaded, AnswerQuestion(answer.text, parse_number(pause)), answer, pause)


class ConfirmPage(ActionPage):
    action, template = "konfirmasi", "confirm.html"

    def context(self, state: State) -> Mapping[str, Any]:
        return _delivery_context(state)

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        posted.validate(EmptyBody, DELIVERY_FIELD)
        delivery = posted.text(DELIVERY_FIELD)
        return await self._execute(loaded, ConfirmHandover(parse_number(delivery)), delivery)


class ContestPage(ActionPage):
    action, template = "keberatan", "contest.html"

    def context(self, state: State) -> Mapping[str, Any]:
        return _delivery_context(state)

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        body, delivery = posted.validate(ReasonBody, DELIVERY_FIELD), posted.text(DELIVERY_FIELD)
        return await self._execute(loaded, ContestHandover(body.reason, parse_number(delivery)), body, delivery)


class WithdrawPage(ActionPage):
    action, template = "batalkan", "withdraw.html"

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        body = posted.validate(ReasonBody)
        return await self._execute(loaded, WithdrawRequest(body.reason), body)


class SurveyForm(InputModel):
    """The survey as its page sends it: one field per element."""

    u1: SurveyScore
    u2: SurveyScore
    u3: SurveyScore
    u4: SurveyScore
    u5: SurveyScore
    u6: SurveyScore
    u7: SurveyScore
    u8: SurveyScore
    u9: SurveyScore
    comment: OptionalText = ""

    @property
    def answers(self) -> tuple[int, ...]:
        return (self.u1, self.u2, self.u3, self.u4, self.u5, self.u6, self.u7, self.u8, self.u9)


SURVEY_FIELDS = tuple(f"u{number}" for number in range(1, SURVEY_ELEMENTS + 1))


class SurveyPage(ActionPage):
    action, template = "survei", "survey.html"

    def context(self, _state: State) -> Mapping[str, Any]:
        return {"elements": list(zip(SURVEY_FIELDS, templates.words.survey.elements, strict=True))}

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        try:
            form = posted.validate(SurveyForm)
        except Problem as problem:
            raise validation_problem(_with_unanswered_message(problem.errors)) from problem
        survey = SurveyBody(answers=form.answers, comment=form.comment)
        return await self._execute(loaded, AnswerSurvey(survey.answers, survey.comment), survey)


for _page in (AnswerPage, ConfirmPage, ContestPage, WithdrawPage, SurveyPage):
    add_form_page(router, f"/lacak/{{number}}/{_page.action}", _page, public())


def _with_unanswered_message(errors: Sequence[FieldError]) -> list[FieldError]:
    unanswered = templates.words.survey.unanswered
    return [FieldError(error.field, unanswered) if error.field in SURVEY_FIELDS else error for error in errors]


def _delivery_context(state: State) -> dict[str, Any]:
    delivery = state.delivery
    return {"delivery": delivery, "documents": serializers.documents(delivery.documents) if delivery else []}
