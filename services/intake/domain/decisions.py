"""Decisions of intake: what applicants may do at each status, and what happens when a deadline passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from services.intake.domain.commands import (
    SURVEY_ELEMENTS,
    SURVEY_SCORES,
    AnswerQuestion,
    AnswerSurvey,
    ChangeContact,
    Command,
    ConfirmBySilence,
    ConfirmContact,
    ConfirmHandover,
    ContestHandover,
    CorrectRequest,
    ExpireRequest,
    MailLink,
    ResubmitRequest,
    SubmitRequest,
    WithdrawRequest,
)
from services.intake.domain.form import Form, validate_form
from services.intake.domain.resubmission import apply_changes, removed_document_ids
from services.intake.domain.state import State
from shared.calendar import end_of_day, today
from shared.contracts.envelope import Event
from shared.contracts.facts import ChecklistItem, Fact
from shared.contracts.intake import (
    ApplicantAnswered,
    ContactChanged,
    ContactChangeRequested,
    HandoverConfirmed,
    HandoverContested,
    RequestCorrected,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.lifecycle import BEFORE_DELIVERY, ENDED, Lifecycle, Status
from shared.runtime.conflict import conflict_refusal
from shared.runtime.decider import Refusal


@dataclass(frozen=True, slots=True)
class Rules:
    """Days for which the survey stays open, and the shortest time between two emails with the tracking link."""

    survey_days: int = 14
    link_cooldown: timedelta = timedelta(minutes=10)


ALLOWED_STATUSES: Mapping[type[Command], frozenset[Status]] = {
    SubmitRequest: frozenset({Status.NEW}),
    ResubmitRequest: frozenset({Status.RETURNED}),
    CorrectRequest: frozenset({Status.SUBMITTED}),
    ChangeContact: frozenset(Status) - ENDED - {Status.NEW},
    ConfirmContact: frozenset(Status) - ENDED - {Status.NEW},
    WithdrawRequest: BEFORE_DELIVERY,
    AnswerQuestion: frozenset({Status.ON_HOLD}),
    ConfirmHandover: frozenset({Status.DELIVERED}),
    ContestHandover: frozenset({Status.DELIVERED}),
    AnswerSurvey: frozenset({Status.COMPLETED}),
    MailLink: frozenset(Status) - {Status.NEW},
    ExpireRequest: frozenset({Status.RETURNED}),
    ConfirmBySilence: frozenset({Status.DELIVERED}),
}


def decide(state: State, command: Command, now: datetime, rules: Rules) -> list[Fact]:  # noqa: C901 (one case per command)
    """Return the facts that follow from a command.

    Raises:
        Refusal: moved_on (status, by, at, event) at another status or about an earlier pause or delivery; reason_missing,
            text_missing, nothing_changed, being_checked (at), contact_outdated, answers_unfit (elements), survey_answered
            (at), survey_closed (until), not_due (at); also the refusals of `validate_form` and `apply_changes`.
    """
    if state.status not in ALLOWED_STATUSES[type(command)] or _is_about_earlier_step(state.course, command):
        raise conflict_refusal(state.status, state.history)
    match command:
        case SubmitRequest():
            return [_submit(command, now)]
        case ResubmitRequest() | CorrectRequest():
            return _change_form(state, command, now)
        case ChangeContact() | ConfirmContact():
            return [_decide_contact(state, command)]
        case WithdrawRequest(reason=reason):
            return [RequestWithdrawn(reason=_require_text(reason, "reason_missing"))]
        case AnswerQuestion(text=text):
            return [ApplicantAnswered(pause=state.course.pause, text=_require_text(text, "text_missing"))]
        case ConfirmHandover():
            return [_confirm_handover(state, now, rules, automatic=False)]
        case ContestHandover(reason=reason):
            return [HandoverContested(delivery=state.course.delivery, reason=_require_text(reason, "reason_missing"))]
        case AnswerSurvey():
            return [_answer_survey(state, command, now)]
        case MailLink():
            return [] if _link_requested_recently(state, now, rules) else [TrackingLinkRequested()]
        case ExpireRequest():
            _require_due(state, now)
            return [RequestExpired(round=state.course.round)]
        case ConfirmBySilence():
            _require_due(state, now)
            return [_confirm_handover(state, now, rules, automatic=True)]


def _is_about_earlier_step(course: Lifecycle, command: Command) -> bool:
    """Whether the command refers to a pause or delivery that is no longer the current one."""
    match command:
        case AnswerQuestion(pause=number):
            return number not in (None, course.pause)
        case ConfirmHandover(delivery=number) | ContestHandover(delivery=number):
            return number not in (None, course.delivery)
        case _:
            return False


def _link_requested_recently(state: State, now: datetime, rules: Rules) -> bool:
    return state.link_asked_at is not None and now < state.link_asked_at + rules.link_cooldown


def _confirm_handover(state: State, now: datetime, rules: Rules, *, automatic: bool) -> HandoverConfirmed:
    until = today(now) + timedelta(days=rules.survey_days)
    return HandoverConfirmed(delivery=state.course.delivery, automatic=automatic, survey_until=until)


def _submit(command: SubmitRequest, now: datetime) -> RequestSubmitted:
    form = Form(
        command.applicant, command.description, command.scope, command.letter, command.documents, command.warnings
    )
    return RequestSubmitted(number=command.number, **_form_fields(validate_form(form, today(now))))


def _change_form(state: State, command: ResubmitRequest | CorrectRequest, now: datetime) -> list[Fact]:
    """Change the form; another email address takes effect only when it has been confirmed."""
    before = state.form
    if before is None:
        raise conflict_refusal(state.status, state.history)
    number, failed = _round_and_failed_items(state, command)
    requested = validate_form(apply_changes(before, command, failed, number), today(now))
    form, facts = _keep_email(before, requested), list[Fact]()
    changed = {"round": number, "replaced": removed_document_ids(before, form), **_form_fields(form)}
    if isinstance(command, ResubmitRequest):
        facts.append(RequestResubmitted(**changed))
    elif form != before:
        facts.append(RequestCorrected(**changed))
    if form != requested:
        facts.append(ContactChangeRequested(change=state.contact_change + 1, applicant=requested.applicant))
    if not facts:
        raise Refusal("nothing_changed")
    return facts


def _round_and_failed_items(
    state: State, command: ResubmitRequest | CorrectRequest
) -> tuple[int, tuple[ChecklistItem, ...]]:
    """Return the round of the changed form, and the items that the changes must address."""
    if isinstance(command, ResubmitRequest):
        if state.returned is None:
            raise conflict_refusal(state.status, state.history)
        return state.course.round + 1, tuple(dict.fromkeys(verdict.item for verdict in state.returned.failed))
    if state.active_claim is not None:
        raise Refusal("being_checked", at=state.active_claim.at)
    return state.course.round, ()


def _keep_email(before: Form, after: Form) -> Form:
    return replace(after, applicant=after.applicant.model_copy(update={"email": before.applicant.email}))


def _decide_contact(state: State, command: ChangeContact | ConfirmContact) -> ContactChangeRequested | ContactChanged:
    if state.form is None:
        raise conflict_refusal(state.status, state.history)
    applicant, requested = state.form.applicant, state.requested_contact
    if isinstance(command, ChangeContact):
        contact = {"email": command.email, "phone": command.phone}
        changed = applicant.model_copy(update=contact)
        if changed == applicant:
            raise Refusal("nothing_changed")
        return ContactChangeRequested(change=state.contact_change + 1, applicant=changed)
    if requested is None or command.change != state.contact_change:
        raise Refusal("contact_outdated")
    contact = {"email": requested.email, "phone": requested.phone}
    return ContactChanged(change=command.change, applicant=applicant.model_copy(update=contact))


def _form_fields(form: Form) -> dict[str, Any]:
    return {field.name: getattr(form, field.name) for field in fields(form)}


def _require_text(text: str, missing: str) -> str:
    if not (stripped := text.strip()):
        raise Refusal(missing)
    return stripped


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


def react(_state: State, _event: Event) -> list[Command]:
    """Return no commands: only applicants and deadlines change what intake decides."""
    return []


def due_at(state: State) -> datetime | None:
    """Return when an automatic decision is due: at the start of the day after the deadline, in Halmahera Timur."""
    last_day = None
    if state.status is Status.RETURNED and state.returned:
        last_day = state.returned.respond_by
    elif state.status is Status.DELIVERED and state.delivery:
        last_day = state.delivery.confirm_by
    return end_of_day(last_day) + timedelta(microseconds=1) if last_day else None


def on_due(state: State) -> list[Command]:
    return [ExpireRequest() if state.status is Status.RETURNED else ConfirmBySilence()]


def registration_number_prefix(now: datetime) -> str:
    """Return the prefix of this year's registration numbers; the year is that of Halmahera Timur."""
    return f"INT-{today(now).year}-"


def registration_number(prefix: str, count: int) -> str:
    """Return a registration number; the first of a year is INT-2026-000001."""
    return f"{prefix}{count:06d}"


def registration_count(number: str | None, prefix: str) -> int:
    """Return how many requests were registered in the year of this number, 0 without a number."""
    return int(number.removeprefix(prefix)) if number else 0
