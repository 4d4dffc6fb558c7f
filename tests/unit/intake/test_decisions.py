"""Decisions of intake: what applicants may do at each status, and what happens automatically."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.intake.domain.commands import (
    AnswerQuestion,
    AnswerSurvey,
    ChangeContact,
    ConfirmBySilence,
    ConfirmContact,
    ConfirmHandover,
    ContestHandover,
    CorrectRequest,
    ExpireRequest,
    MailLink,
    ResubmitRequest,
    WithdrawRequest,
)
from services.intake.domain.decisions import registration_count, registration_number, registration_number_prefix
from shared.contracts import intake as i
from shared.contracts.facts import DocumentKind, DocumentRef, Fact, Letter
from shared.contracts.lifecycle import ENDED, Status
from shared.contracts.verification import ClaimReleased, RequestClaimed
from tests.support.domain.given_when_then import NOON, events_from, fold, given, interleavings, refusal_of
from tests.support.domain.request_events import (
    COMPLETED,
    DATASET,
    DELIVERED,
    IN_PROGRESS,
    INTAKE,
    LETTER,
    NEW_LETTER,
    NURLAILA,
    ON_HOLD,
    PATHS,
    RECORD,
    RESULT,
    SUBMIT,
    VERIFIED,
    answered,
    assigned,
    completed,
    confirmed,
    contested,
    decide_facts,
    document_ref,
    expired,
    paused,
    recommended,
    rejected,
    resubmitted,
    resumed,
    returned,
    started,
    submitted,
    surveyed,
    verified,
    withdrawn,
)

LATE = datetime(2027, 3, 1, tzinfo=UTC)
COMMANDS: list[tuple[Any, frozenset[Status]]] = [
    (SUBMIT, frozenset({Status.NEW})),
    (ResubmitRequest(documents=(NEW_LETTER,)), frozenset({Status.RETURNED})),
    (CorrectRequest(position="Arsiparis"), frozenset({Status.SUBMITTED})),
    (ChangeContact("baru@dishub.example", ""), frozenset(Status) - ENDED - {Status.NEW}),
    (
        WithdrawRequest("Sudah tidak diperlukan."),
        frozenset(Status) - ENDED - {Status.NEW, Status.DELIVERED},
    ),
    (AnswerQuestion("10.0.0.1"), frozenset({Status.ON_HOLD})),
    (ConfirmHandover(), frozenset({Status.DELIVERED})),
    (ContestHandover("Hasil uji belum ada."), frozenset({Status.DELIVERED})),
    (AnswerSurvey(surveyed.answers), frozenset({Status.COMPLETED})),
    (MailLink(), frozenset(Status) - {Status.NEW}),
    (ExpireRequest(), frozenset({Status.RETURNED})),
    (ConfirmBySilence(), frozenset({Status.DELIVERED})),
]


def test_each_sample_path_ends_at_its_status():
    assert {status: given(INTAKE, *path).status for status, path in PATHS.items()} == {s: s for s in Status}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("command", "allowed"), COMMANDS, ids=lambda value: type(value).__name__)
def test_a_command_is_allowed_only_at_its_statuses(command: Any, allowed: frozenset[Status], status: Status):
    state = given(INTAKE, *PATHS[status])
    now = LATE if isinstance(command, (ExpireRequest, ConfirmBySilence)) else NOON
    if status in allowed:
        assert decide_facts(state, command, now)
    else:
        refusal = refusal_of(INTAKE, state, command, now)
        assert (refusal.code, refusal.params["status"]) == ("moved_on", status)


# Corrections before the check


def test_a_correction_carries_the_whole_form_and_stays_in_its_round():
    state = given(INTAKE, submitted)
    [fact] = decide_facts(state, CorrectRequest(position="Arsiparis", documents=(NEW_LETTER,)))
    assert isinstance(fact, i.RequestCorrected)
    assert (fact.round, fact.applicant.position, fact.applicant.name) == (1, "Arsiparis", submitted.applicant.name)
    assert fact.replaced == ("surat",)
    assert [document.round for document in fact.documents] == [1, 1, 1]
    after = given(INTAKE, submitted, fact)
    assert (after.status, after.course.round, after.form and after.form.applicant.position) == (
        *(Status.SUBMITTED, 1),
        "Arsiparis",
    )
    assert [entry.event for entry in after.history] == ["RequestSubmitted", "RequestCorrected"]


def test_a_correction_that_changes_nothing_is_refused():
    state = given(INTAKE, submitted)
    assert refusal_of(INTAKE, state, CorrectRequest(position=submitted.applicant.position)).code == "nothing_changed"


def test_a_claimed_request_is_not_corrected_until_it_is_released():
    claimed = RequestClaimed(round=1, officer=NURLAILA, by=NURLAILA)
    change = CorrectRequest(position="Arsiparis")
    assert refusal_of(INTAKE, given(INTAKE, submitted, claimed), change).code == "being_checked"
    released = ClaimReleased(round=1, by=NURLAILA)
    assert decide_facts(given(INTAKE, submitted, claimed, released), change)


# Contact


def test_a_new_contact_takes_effect_when_it_is_confirmed():
    state = given(INTAKE, submitted)
    [asked] = decide_facts(state, ChangeContact("baru@dishub.example", "0811"))
    assert isinstance(asked, i.ContactChangeRequested)
    assert (asked.change, asked.applicant.email, asked.applicant.name) == (1, "baru@dishub.example", "Rahmat Contoh")
    waiting = given(INTAKE, submitted, asked)
    assert waiting.form == state.form
    [changed] = decide_facts(waiting, ConfirmContact(1))
    after = given(INTAKE, submitted, asked, changed)
    assert after.form
    assert (after.form.applicant.email, after.form.applicant.phone) == ("baru@dishub.example", "0811")
    assert refusal_of(INTAKE, after, ConfirmContact(1)).code == "contact_outdated"


@pytest.mark.parametrize(
    ("command", "earlier", "kind"),
    [(CorrectRequest, (), i.RequestCorrected), (ResubmitRequest, (returned,), i.RequestResubmitted)],
)
def test_another_address_in_a_changed_form_takes_effect_when_it_is_confirmed(
    command: type[CorrectRequest | ResubmitRequest], earlier: tuple[Fact, ...], kind: type[Fact]
):
    state = given(INTAKE, submitted, *earlier)
    changed, asked = decide_facts(state, command("Baru", email="baru@dishub.example", documents=(NEW_LETTER,)))
    assert isinstance(changed, kind)
    assert isinstance(asked, i.ContactChangeRequested)
    waiting = given(INTAKE, submitted, *earlier, changed, asked)
    assert waiting.form
    assert (waiting.form.applicant.email, waiting.form.applicant.name) == ("rahmat@dishub.example", "Baru")
    confirmed = given(INTAKE, submitted, *earlier, changed, asked, *decide_facts(waiting, ConfirmContact(1)))
    assert confirmed.form
    assert (confirmed.form.applicant.email, confirmed.form.applicant.name) == ("baru@dishub.example", "Baru")


def test_a_correction_of_the_address_alone_only_asks_for_its_confirmation():
    [asked] = decide_facts(given(INTAKE, submitted), CorrectRequest(email="baru@dishub.example"))
    assert isinstance(asked, i.ContactChangeRequested)


def test_only_the_latest_contact_can_be_confirmed():
    state = given(INTAKE, submitted)
    assert refusal_of(INTAKE, state, ConfirmContact(1)).code == "contact_outdated"
    first = decide_facts(state, ChangeContact("satu@dishub.example", ""))
    second = decide_facts(given(INTAKE, submitted, *first), ChangeContact("dua@dishub.example", ""))
    both = given(INTAKE, submitted, *first, *second)
    assert refusal_of(INTAKE, both, ConfirmContact(1)).code == "contact_outdated"
    assert decide_facts(both, ConfirmContact(2))
    same = ChangeContact(submitted.applicant.email, submitted.applicant.phone)
    assert refusal_of(INTAKE, both, same).code == "nothing_changed"


# new -> submitted


def test_a_valid_form_is_submitted():
    assert decide_facts(INTAKE.initial(), SUBMIT) == [submitted]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ((DATASET,), "letter_missing"),
        ((LETTER, NEW_LETTER, DATASET), "letters_many"),
        ((LETTER,), "requirements_missing"),
        ((LETTER, *(document_ref(f"p{n}", DocumentKind.REQUIREMENT) for n in range(11))), "requirements_many"),
        ((LETTER, DATASET, RESULT), "document_misplaced"),
    ],
)
def test_a_form_needs_its_documents(documents: tuple[DocumentRef, ...], code: str):
    assert refusal_of(INTAKE, INTAKE.initial(), replace(SUBMIT, documents=documents)).code == code


def test_ten_requirements_are_accepted():
    ten = (LETTER, *(document_ref(f"p{n}", DocumentKind.REQUIREMENT) for n in range(10)))
    assert decide_facts(INTAKE.initial(), replace(SUBMIT, documents=ten))


def test_a_letter_date_after_today_in_halmahera_is_refused():
    tomorrow = replace(SUBMIT, letter=Letter(number="1", date=date(2026, 11, 24)))
    assert refusal_of(INTAKE, INTAKE.initial(), tomorrow).code == "letter_in_future"
    already_tomorrow_in_maba = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    assert decide_facts(INTAKE.initial(), tomorrow, already_tomorrow_in_maba)


def test_registration_numbers_restart_with_the_year_of_halmahera():
    assert registration_number_prefix(datetime(2026, 12, 31, 14, 59, tzinfo=UTC)) == "INT-2026-"
    assert registration_number_prefix(datetime(2026, 12, 31, 15, 0, tzinfo=UTC)) == "INT-2027-"
    assert registration_count(None, "INT-2026-") == 0
    assert registration_count("INT-2026-000099", "INT-2026-") == 99
    assert registration_number("INT-2026-", 1) == "INT-2026-000001"
    assert registration_number("INT-2026-", 1_000_000) == "INT-2026-1000000"


# Withdrawal, answer, objection, confirmation


def test_a_withdrawal_needs_a_reason():
    assert decide_facts(given(INTAKE, submitted), WithdrawRequest(" Sudah tidak diperlukan. ")) == [withdrawn]
    assert refusal_of(INTAKE, given(INTAKE, submitted), WithdrawRequest("  ")).code == "reason_missing"


def test_an_answer_names_the_pause_of_its_question():
    assert decide_facts(given(INTAKE, *ON_HOLD), AnswerQuestion("10.0.0.1")) == [answered]
    assert refusal_of(INTAKE, given(INTAKE, *ON_HOLD), AnswerQuestion("")).code == "text_missing"
    second = paused.model_copy(update={"pause": 2})
    again = given(INTAKE, *ON_HOLD, answered, resumed, second)
    assert decide_facts(again, AnswerQuestion("10.0.0.2")) == [i.ApplicantAnswered(pause=2, text="10.0.0.2")]


def test_a_question_is_answered_once():
    refusal = refusal_of(INTAKE, given(INTAKE, *ON_HOLD, answered), AnswerQuestion("10.0.0.1"))
    assert (refusal.params["status"], refusal.params["event"]) == (Status.IN_PROGRESS, "ApplicantAnswered")


def test_an_answer_to_an_earlier_question_is_refused():
    second = paused.model_copy(update={"pause": 2})
    again = given(INTAKE, *ON_HOLD, answered, resumed, second)
    assert decide_facts(again, AnswerQuestion("10.0.0.2", pause=2)) == [i.ApplicantAnswered(pause=2, text="10.0.0.2")]
    refusal = refusal_of(INTAKE, again, AnswerQuestion("10.0.0.1", pause=1))
    assert (refusal.code, refusal.params["event"], refusal.params["by"]) == ("moved_on", "WorkPaused", "Dewi Andaian")
    assert refusal.params["at"] == NOON + timedelta(minutes=7)


def test_a_late_command_is_refused_with_the_event_that_came_first():
    refusal = refusal_of(INTAKE, given(INTAKE, submitted, rejected), WithdrawRequest("Batal."))
    at = NOON + timedelta(minutes=1)
    assert refusal.params == {"status": Status.REJECTED, "by": "Hasan Umpama", "at": at, "event": "RequestRejected"}


def test_a_handover_is_confirmed_and_opens_the_survey_for_14_days():
    assert decide_facts(given(INTAKE, *DELIVERED), ConfirmHandover()) == [confirmed]


def test_an_objection_needs_a_reason_and_reopens_the_work():
    state = given(INTAKE, *DELIVERED)
    assert decide_facts(state, ContestHandover("Hasil uji belum ada.")) == [contested]
    assert refusal_of(INTAKE, state, ContestHandover("\n")).code == "reason_missing"
    assert given(INTAKE, *DELIVERED, contested).status is Status.IN_PROGRESS


def test_a_confirmation_names_the_current_delivery():
    second = completed.model_copy(update={"delivery": 2, "documents": (RECORD,)})
    state = given(INTAKE, *DELIVERED, contested, second)
    assert decide_facts(state, ConfirmHandover()) == [confirmed.model_copy(update={"delivery": 2})]
    assert [document.id for document in state.all_documents] == ["surat", "kamus-data", "alur", "bast"]


@pytest.mark.parametrize("command", [ConfirmHandover(delivery=1), ContestHandover("Belum sesuai.", delivery=1)])
def test_an_earlier_delivery_can_be_neither_confirmed_nor_contested(command: Any):
    assert decide_facts(given(INTAKE, *DELIVERED), command)
    second = completed.model_copy(update={"delivery": 2})
    refusal = refusal_of(INTAKE, given(INTAKE, *DELIVERED, contested, second), command)
    assert (refusal.code, refusal.params["event"]) == ("moved_on", "WorkCompleted")


# silence

LAST_DAY_OVER = datetime(2026, 12, 7, 15, 0, tzinfo=UTC)
CONFIRMATION_OVER = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


def test_a_returned_request_expires_after_its_last_day_in_halmahera():
    state = given(INTAKE, submitted, returned)
    assert INTAKE.due_at(state) == LAST_DAY_OVER
    assert INTAKE.on_due(state) == [ExpireRequest()]
    assert decide_facts(state, ExpireRequest(), LAST_DAY_OVER) == [expired]
    assert refusal_of(INTAKE, state, ExpireRequest(), LAST_DAY_OVER - timedelta(microseconds=1)).code == "not_due"


def test_a_late_resubmission_is_accepted_until_the_request_expires():
    assert decide_facts(given(INTAKE, submitted, returned), ResubmitRequest(documents=(NEW_LETTER,)), LAST_DAY_OVER)


def test_a_delivery_is_confirmed_automatically_after_its_last_day():
    state = given(INTAKE, *DELIVERED)
    assert INTAKE.due_at(state) == CONFIRMATION_OVER
    assert INTAKE.on_due(state) == [ConfirmBySilence()]
    by_silence = i.HandoverConfirmed(delivery=1, automatic=True, survey_until=date(2026, 12, 15))
    assert decide_facts(state, ConfirmBySilence(), CONFIRMATION_OVER) == [by_silence]
    assert refusal_of(INTAKE, state, ConfirmBySilence(), NOON).code == "not_due"


@pytest.mark.parametrize("status", sorted(frozenset(Status) - {Status.RETURNED, Status.DELIVERED}))
def test_other_statuses_have_no_automatic_decision(status: Status):
    assert INTAKE.due_at(given(INTAKE, *PATHS[status])) is None


# Survey


def test_the_survey_is_answered_once_while_it_is_open():
    state = given(INTAKE, *COMPLETED)
    assert decide_facts(state, AnswerSurvey(surveyed.answers)) == [surveyed]
    assert (
        refusal_of(INTAKE, given(INTAKE, *COMPLETED, surveyed), AnswerSurvey(surveyed.answers)).code
        == "survey_answered"
    )


def test_the_survey_closes_after_its_last_day():
    state = given(INTAKE, *COMPLETED)
    over = datetime(2026, 12, 7, 15, 0, tzinfo=UTC)
    assert decide_facts(state, AnswerSurvey(surveyed.answers), over - timedelta(seconds=1))
    assert refusal_of(INTAKE, state, AnswerSurvey(surveyed.answers), over).code == "survey_closed"


@pytest.mark.parametrize("answers", [(), (3,) * 8, (3,) * 10, (0, *(3,) * 8), (5, *(3,) * 8)])
def test_a_survey_needs_nine_answers_from_1_to_4(answers: tuple[int, ...]):
    assert refusal_of(INTAKE, given(INTAKE, *COMPLETED), AnswerSurvey(answers)).code == "answers_unfit"


# Crossing events


CROSSINGS: list[tuple[tuple[Fact, ...], list[tuple[Fact, ...]], Status]] = [
    ((submitted,), [(withdrawn,), (verified,)], Status.WITHDRAWN),
    ((submitted,), [(withdrawn,), (returned,)], Status.WITHDRAWN),
    ((submitted,), [(withdrawn,), (recommended, verified), (rejected,)], Status.WITHDRAWN),
    ((submitted,), [(verified,), (rejected,)], Status.REJECTED),
    ((submitted,), [(returned,), (rejected,)], Status.REJECTED),
    ((submitted, returned), [(resubmitted,), (rejected,)], Status.REJECTED),
    ((submitted, returned), [(expired,), (rejected,)], Status.REJECTED),
    (VERIFIED, [(withdrawn,), (assigned, started, paused)], Status.WITHDRAWN),
    (VERIFIED, [(withdrawn,), (rejected,)], Status.WITHDRAWN),
    (IN_PROGRESS, [(withdrawn,), (completed,)], Status.WITHDRAWN),
    (ON_HOLD, [(answered,), (resumed,)], Status.IN_PROGRESS),
    (ON_HOLD, [(withdrawn,), (resumed,)], Status.WITHDRAWN),
]


@pytest.mark.parametrize(("before", "lines", "end"), CROSSINGS)
def test_crossing_events_give_the_same_state_in_any_order(
    before: tuple[Fact, ...], lines: list[tuple[Fact, ...]], end: Status
):
    events = events_from(*before, *(fact for line in lines for fact in line))
    rest = iter(events[len(before) :])
    crossing = [[next(rest) for _ in line] for line in lines]
    states = [fold(INTAKE, [*events[: len(before)], *order]) for order in interleavings(*crossing)]
    assert states[0].status is end
    assert all(state == states[0] for state in states)


def test_an_event_that_intake_does_not_subscribe_to_changes_nothing():
    assert given(INTAKE, submitted, recommended) == given(INTAKE, submitted)
