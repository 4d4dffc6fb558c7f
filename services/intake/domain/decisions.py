"""Intake: what an applicant may do, and when silence decides. Pure: state, commands and facts in, facts and refusals out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from services.intake.domain.form import Form, validate_form
from services.intake.domain.resubmission import ResubmitRequest, apply_changes, removed_document_ids
from services.intake.domain.state import SUBSCRIBES_TO, State, evolve, initial
from shared.calendar import end_of_day, today
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, DocumentRef, Fact, Letter, Scope
from shared.contracts.intake import (
    ApplicantAnswered,
    HandoverConfirmed,
    HandoverContested,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.lifecycle import BEFORE_DELIVERY, Lifecycle, Status
from shared.runtime.conflict import conflict
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import Column, Scalar

__all__ = ["SUBSCRIBES_TO", "ResubmitRequest", "State"]

INDEXED_COLUMNS = (
    Column("number", unique=True),
    Column("status"),
    Column("submitted_at"),
    Column("email", ordered_by="submitted_at"),
)

SURVEY_ELEMENTS = 9
"""U1 to U9 of the satisfaction survey (Permenpan RB 14/2017), each judged from 1 to 4."""
SURVEY_SCORES = range(1, 5)


@dataclass(frozen=True, slots=True)
class Rules:
    """How long the survey stays open, in calendar days, and how long a tracking link that was asked for is not mailed again."""

    survey_days: int = 14
    link_cooldown: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """`number` is the registration number to take; the documents are stored already."""

    number: str
    applicant: Applicant
    description: str
    scope: Scope
    letter: Letter
    documents: tuple[DocumentRef, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerQuestion:
    """`pause` is the number of the one that asked, None for whichever it is."""

    text: str
    pause: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmHandover:
    """`delivery` is the number of the one that was looked at, None for whichever it is."""

    delivery: int | None = None


@dataclass(frozen=True, slots=True)
class ContestHandover:
    """`delivery` as in ConfirmHandover."""

    reason: str
    delivery: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerSurvey:
    answers: tuple[int, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class MailLink:
    """Somebody who knows the applicant's address has lost the tracking link."""


@dataclass(frozen=True, slots=True)
class ExpireRequest:
    """The day until which a returned request was waited for is over."""


@dataclass(frozen=True, slots=True)
class ConfirmBySilence:
    """The day until which a delivery could be contested is over."""


Command = (
    SubmitRequest
    | ResubmitRequest
    | WithdrawRequest
    | AnswerQuestion
    | ConfirmHandover
    | ContestHandover
    | AnswerSurvey
    | MailLink
    | ExpireRequest
    | ConfirmBySilence
)

ALLOWED_STATUSES: Mapping[type[Command], frozenset[Status]] = {
    SubmitRequest: frozenset({Status.NEW}),
    ResubmitRequest: frozenset({Status.RETURNED}),
    WithdrawRequest: BEFORE_DELIVERY,
    AnswerQuestion: frozenset({Status.ON_HOLD}),
    ConfirmHandover: frozenset({Status.DELIVERED}),
    ContestHandover: frozenset({Status.DELIVERED}),
    AnswerSurvey: frozenset({Status.COMPLETED}),
    MailLink: frozenset(Status) - {Status.NEW},
    ExpireRequest: frozenset({Status.RETURNED}),
    ConfirmBySilence: frozenset({Status.DELIVERED}),
}


def decide(state: State, command: Command, now: datetime, rules: Rules) -> list[Fact]:
    """The facts that follow.

    Raises Refusal: moved_on (status, by, at, event) for a command out of step or about another pause or delivery; what
    form.sound and resubmission.completed say; reason_missing, text_missing, answers_unfit (elements), survey_answered (at),
    survey_closed (until), not_due (at).
    """
    if state.status not in ALLOWED_STATUSES[type(command)] or _is_about_earlier_round(state.course, command):
        raise conflict(state.status, state.history)
    match command:
        case SubmitRequest():
            return [_submit(command, now)]
        case ResubmitRequest():
            return [_resubmit(state, command, now)]
        case WithdrawRequest(reason=reason):
            return [RequestWithdrawn(reason=_require_text(reason, "reason_missing"))]
        case AnswerQuestion(text=text):
            return [ApplicantAnswered(pause=state.course.pause, text=_require_text(text, "text_missing"))]
        case AnswerSurvey():
            return [_answer_survey(state, command, now)]
        case MailLink():
            return [] if _link_requested_recently(state, now, rules) else [TrackingLinkRequested()]
        case ExpireRequest():
            _require_due(state, now)
            return [RequestExpired(round=state.course.round)]
        case _:
            return [_decide_handover(state, command, now, rules)]


def _is_about_earlier_round(course: Lifecycle, command: Command) -> bool:
    """Whether the command is about a pause or a delivery that was followed by another."""
    match command:
        case AnswerQuestion(pause=number):
            return number not in (None, course.pause)
        case ConfirmHandover(delivery=number) | ContestHandover(delivery=number):
            return number not in (None, course.delivery)
        case _:
            return False


def _link_requested_recently(state: State, now: datetime, rules: Rules) -> bool:
    return state.link_asked_at is not None and now < state.link_asked_at + rules.link_cooldown


def _decide_handover(
    state: State, command: ConfirmHandover | ContestHandover | ConfirmBySilence, now: datetime, rules: Rules
) -> Fact:
    delivery = state.course.delivery
    if isinstance(command, ContestHandover):
        return HandoverContested(delivery=delivery, reason=_require_text(command.reason, "reason_missing"))
    automatic = isinstance(command, ConfirmBySilence)
    if automatic:
        _require_due(state, now)
    until = today(now) + timedelta(days=rules.survey_days)
    return HandoverConfirmed(delivery=delivery, automatic=automatic, survey_until=until)


def _submit(command: SubmitRequest, now: datetime) -> RequestSubmitted:
    form = Form(
        command.applicant, command.description, command.scope, command.letter, command.documents, command.warnings
    )
    return RequestSubmitted(number=command.number, **_form_fields(validate_form(form, today(now))))


def _resubmit(state: State, command: ResubmitRequest, now: datetime) -> RequestResubmitted:
    if state.form is None or state.returned is None:
        raise conflict(state.status, state.history)
    number = state.course.round + 1
    failed = [verdict.item for verdict in state.returned.failed]
    form = validate_form(apply_changes(state.form, command, failed, number), today(now))
    return RequestResubmitted(round=number, replaced=removed_document_ids(state.form, form), **_form_fields(form))


def _form_fields(form: Form) -> dict[str, Any]:
    return {field.name: getattr(form, field.name) for field in fields(form)}


def _require_text(text: str, missing: str) -> str:
    if not (words := text.strip()):
        raise Refusal(missing)
    return words


def _answer_survey(state: State, command: AnswerSurvey, now: datetime) -> SurveyAnswered:
    if state.surveyed_at:
        raise Refusal("survey_answered", at=state.surveyed_at)
    if state.survey_until is None or today(now) > state.survey_until:
        raise Refusal("survey_closed", until=state.survey_until)
    if len(command.answers) != SURVEY_ELEMENTS or not set(SURVEY_SCORES).issuperset(command.answers):
        raise Refusal("answers_unfit", elements=SURVEY_ELEMENTS)
    return SurveyAnswered(answers=command.answers, comment=command.comment.strip())


def _require_due(state: State, now: datetime) -> None:
    due = due_at(state)
    if due is None or now < due:
        raise Refusal("not_due", at=due)


def react(state: State, event: Event) -> list[Command]:
    """Intake does nothing because of what others did: the applicant decides, or time does."""
    return []


def due_at(state: State) -> datetime | None:
    """When silence decides: as the day after the last one to answer begins in Halmahera Timur."""
    last = None
    if state.status is Status.RETURNED and state.returned:
        last = state.returned.respond_by
    elif state.status is Status.DELIVERED and state.delivery:
        last = state.delivery.confirm_by
    return end_of_day(last) + timedelta(microseconds=1) if last else None


def on_due(state: State) -> list[Command]:
    return [ExpireRequest() if state.status is Status.RETURNED else ConfirmBySilence()]


def columns(state: State) -> Mapping[str, Scalar]:
    """What requests are found by: number and address (in small letters) for applicants, and the rest for counting."""
    submitted = state.submitted_at.astimezone(UTC).isoformat(timespec="microseconds") if state.submitted_at else None
    email = state.form.applicant.email.lower() if state.form else None
    return {"number": state.number or None, "status": state.status.value, "submitted_at": submitted, "email": email}


def registration_number_prefix(now: datetime) -> str:
    """How the registration numbers of this year in Halmahera Timur begin."""
    return f"INT-{today(now).year}-"


def next_registration_number(greatest: str | None, prefix: str) -> str:
    """The number after the greatest one with this prefix: INT-2026-000001 is the first of its year."""
    count = int(greatest.removeprefix(prefix)) if greatest else 0
    return f"{prefix}{count + 1:06d}"


def decider(rules: Rules) -> Decider[State]:
    """Intake under these rules."""
    return Decider(
        service="intake",
        state_type=State,
        initial=initial,
        decide=partial(decide, rules=rules),
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=columns,
        due_at=due_at,
        on_due=on_due,
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
