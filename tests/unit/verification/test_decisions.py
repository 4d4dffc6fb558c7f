"""Decisions and projections of verification, as given, when, then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.verification.decider import decider
from services.verification.domain.commands import RecommendRejection, ReturnRequest, VerifyRequest
from services.verification.domain.decisions import checklist_refusals
from services.verification.domain.state import State
from services.verification.presenters import present_request, present_summary
from services.verification.projections import requests_query
from shared.contracts.checklist import INITIAL_CHECKLIST, Checklists
from shared.contracts.facts import ChecklistItem, Fact, Staff, Verdict
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import find_document
from shared.contracts.stages import StageRules
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified
from shared.runtime.executor import Loaded
from tests.support.domain.given_when_then import NOON, REQUEST, events_from, fold, given, interleavings, refusal_of
from tests.support.domain.request_events import (
    ALL_OK,
    ASSIGNED,
    CALENDAR,
    COMPLETED,
    DELIVERED,
    NURLAILA,
    PATHS,
    assigned,
    corrected,
    progressed,
    recommended,
    rejected,
    resubmitted,
    returned,
    returned_for,
    started,
    submitted,
    surveyed,
    verified,
    withdrawn,
)

RULES = StageRules(CALENDAR)
VERIFICATION = decider(lambda: RULES)
SAMSUL = Staff(username="samsul", name="Samsul Seandainya")
KNOWN = ("birth_date",)
TODAY = date(2026, 11, 23)

LETTER_FAILED = returned_for(ChecklistItem.LETTER).verdicts
VERIFY = VerifyRequest(NURLAILA, ALL_OK, KNOWN)
RETURN = ReturnRequest(NURLAILA, LETTER_FAILED)
RECOMMEND = RecommendRejection(NURLAILA, " Di luar lingkup. ")


def state_after(*facts: Fact) -> State:
    return given(VERIFICATION, *facts)


def loaded(*facts: Fact) -> Loaded[State]:
    return Loaded(REQUEST, len(facts), state_after(*facts))


def refusal(command: Any, *facts: Fact) -> str:
    return refusal_of(VERIFICATION, state_after(*facts), command).code


def test_a_complete_request_is_verified():
    assert VERIFICATION.decide(state_after(submitted), VERIFY, NOON) == [
        RequestVerified(round=1, verdicts=ALL_OK, acknowledged=KNOWN, by=NURLAILA)
    ]


def test_verdicts_are_published_in_the_order_of_the_checklist():
    [fact] = VERIFICATION.decide(state_after(submitted), VerifyRequest(NURLAILA, ALL_OK[::-1], KNOWN), NOON)
    assert isinstance(fact, RequestVerified)
    assert fact.verdicts == ALL_OK


@pytest.mark.parametrize("missing", range(len(ALL_OK)))
def test_every_item_needs_a_verdict(missing: int):
    some = ALL_OK[:missing] + ALL_OK[missing + 1 :]
    refusal = refusal_of(VERIFICATION, state_after(submitted), VerifyRequest(NURLAILA, some, KNOWN))
    assert (refusal.code, refusal.params["items"]) == ("items_missing", (INITIAL_CHECKLIST[missing],))


@pytest.mark.parametrize("command", [VERIFY, RETURN, RECOMMEND], ids=lambda command: type(command).__name__)
def test_a_decision_about_an_earlier_round_is_refused(command: Any):
    first, second = state_after(submitted), state_after(submitted, returned, resubmitted)
    assert VERIFICATION.decide(first, replace(command, round=1), NOON)
    assert VERIFICATION.decide(second, replace(command, round=2), NOON)
    assert VERIFICATION.decide(second, command, NOON)
    late = refusal_of(VERIFICATION, second, replace(command, round=1))
    assert (late.code, late.params["status"], late.params["event"]) == ("moved_on", "submitted", "RequestResubmitted")


@pytest.mark.parametrize("command", [VERIFY, RETURN, RECOMMEND], ids=lambda command: type(command).__name__)
def test_a_decision_about_a_form_that_was_corrected_since_is_refused(command: Any):
    before, after = state_after(submitted), state_after(submitted, corrected)
    assert VERIFICATION.decide(before, replace(command, round=1, corrections=0), NOON)
    assert VERIFICATION.decide(after, replace(command, round=1, corrections=1), NOON)
    late = refusal_of(VERIFICATION, after, replace(command, round=1, corrections=0))
    assert (late.code, late.params["status"], late.params["event"]) == ("moved_on", "submitted", "RequestCorrected")


def codes_of(command: VerifyRequest | ReturnRequest) -> list[str]:
    return [found.code for found in checklist_refusals(state_after(submitted), command, INITIAL_CHECKLIST)]


def test_all_obstacles_to_a_decision_are_reported_at_once():
    bare = Verdict(item=ChecklistItem.LETTER, ok=False)
    assert codes_of(VerifyRequest(NURLAILA, (bare,))) == [
        "items_missing",
        "note_missing",
        "item_failed",
        "warning_open",
    ]
    assert codes_of(ReturnRequest(NURLAILA, (bare,))) == ["items_missing", "note_missing"]
    assert codes_of(VERIFY) == codes_of(RETURN) == []


def test_an_item_has_one_verdict():
    twice = (*ALL_OK, Verdict(item=ChecklistItem.LETTER, ok=False, note="Belum ditandatangani."))
    assert refusal(VerifyRequest(NURLAILA, twice, KNOWN), submitted) == "item_duplicate"
    assert refusal(ReturnRequest(NURLAILA, twice), submitted) == "item_duplicate"


def test_a_request_with_a_failed_item_is_not_verified():
    assert refusal(VerifyRequest(NURLAILA, LETTER_FAILED, KNOWN), submitted) == "item_failed"


def test_a_warning_must_be_acknowledged():
    unvisited_pages = refusal_of(VERIFICATION, state_after(submitted), VerifyRequest(NURLAILA, ALL_OK))
    assert (unvisited_pages.code, unvisited_pages.params["warnings"]) == ("warning_open", KNOWN)


def test_a_return_needs_no_acknowledged_warnings():
    assert VERIFICATION.decide(state_after(submitted), RETURN, NOON)


def test_only_existing_warnings_are_published_as_acknowledged():
    calm = submitted.model_copy(update={"warnings": ()})
    [fact] = VERIFICATION.decide(state_after(calm), VERIFY, NOON)
    assert isinstance(fact, RequestVerified)
    assert fact.acknowledged == ()


def test_a_return_sets_deadline_and_reminders_in_working_days():
    [fact] = VERIFICATION.decide(state_after(submitted), RETURN, NOON)
    assert fact == RequestReturned(
        round=1,
        verdicts=LETTER_FAILED,
        respond_by=date(2026, 12, 8),
        remind_on=(date(2026, 11, 30), date(2026, 12, 4)),
        by=NURLAILA,
    )


def test_a_return_needs_a_failed_item():
    assert refusal(ReturnRequest(NURLAILA, ALL_OK), submitted) == "nothing_failed"


def test_a_failed_item_needs_a_note():
    bare = tuple(Verdict(item=v.item, ok=v.ok, note="  ") for v in LETTER_FAILED)
    refusal = refusal_of(VERIFICATION, state_after(submitted), ReturnRequest(NURLAILA, bare))
    assert (refusal.code, refusal.params["items"]) == ("note_missing", (INITIAL_CHECKLIST[1],))


def test_an_officer_may_recommend_rejection_once_a_round():
    assert VERIFICATION.decide(state_after(submitted), RECOMMEND, NOON) == [
        RejectionRecommended(round=1, reason="Di luar lingkup.", by=NURLAILA)
    ]
    again = refusal_of(VERIFICATION, state_after(submitted, recommended), RecommendRejection(SAMSUL, "Sama."))
    assert (again.code, again.params["by"]) == ("already_recommended", NURLAILA.name)
    assert VERIFICATION.decide(state_after(submitted, recommended, returned, resubmitted), RECOMMEND, NOON)


def test_a_recommendation_needs_a_reason():
    assert refusal(RecommendRejection(NURLAILA, "  "), submitted) == "reason_missing"


def test_a_recommended_request_can_still_be_returned():
    assert VERIFICATION.decide(state_after(submitted, recommended), RETURN, NOON)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SUBMITTED])
@pytest.mark.parametrize("command", [VERIFY, RETURN, RECOMMEND])
def test_only_a_submitted_request_can_be_decided(status: Status, command: Any):
    refusal = refusal_of(VERIFICATION, state_after(*PATHS[status]), command)
    assert (refusal.code, refusal.params["status"]) == ("moved_on", status)


@pytest.mark.parametrize("command", [VERIFY, RETURN, RECOMMEND])
def test_the_second_of_two_officers_is_told_who_was_first_and_when(command: Any):
    refusal = refusal_of(VERIFICATION, state_after(submitted, verified), command)
    first = {"by": "Nurlaila Ibarat", "at": NOON + timedelta(minutes=1), "event": "RequestVerified"}
    assert refusal.params == {"status": Status.VERIFIED, **first}


def test_a_late_officer_is_told_of_the_withdrawal_that_prevailed():
    events = events_from(submitted, withdrawn, verified)
    refusal = refusal_of(VERIFICATION, fold(VERIFICATION, events), RETURN)
    assert (refusal.params["status"], refusal.params["event"]) == (Status.WITHDRAWN, "RequestWithdrawn")


def test_a_corrected_request_is_checked_in_its_new_form():
    state = state_after(submitted, corrected)
    assert state.applicant == corrected.applicant
    assert (state.course.round, state.status) == (1, Status.SUBMITTED)
    assert [entry.event for entry in state.history] == ["RequestSubmitted", "RequestCorrected"]


def test_a_resubmitted_request_is_decided_again_in_its_new_form():
    state = state_after(submitted, returned, resubmitted)
    [fact] = VERIFICATION.decide(state, VERIFY, NOON)
    assert isinstance(fact, RequestVerified)
    assert fact.round == 2
    assert (state.documents, state.decided_by) == (resubmitted.documents, "")


def test_the_officer_who_decided_the_current_round_is_known():
    assert state_after(submitted, returned).decided_by == "Nurlaila Ibarat"


@pytest.mark.parametrize("lines", [((withdrawn,), (verified,), (rejected,)), ((withdrawn,), (returned,), (rejected,))])
def test_crossing_events_give_the_same_state_in_any_order(lines: tuple[tuple[Fact, ...], ...]):
    first, *events = events_from(submitted, *(fact for line in lines for fact in line))
    states = [fold(VERIFICATION, [first, *order]) for order in interleavings(*([event] for event in events))]
    assert states[0].status is Status.WITHDRAWN
    assert all(state == states[0] for state in states)


def test_survey_answers_are_not_stored():
    assert state_after(*COMPLETED, surveyed) == state_after(*COMPLETED)


def test_the_internal_target_is_one_working_day_after_the_round_was_received():
    assert present_summary(loaded(submitted), TODAY, RULES)["target_date"] == date(2026, 11, 24)
    assert present_summary(loaded(submitted, returned), TODAY, RULES)["target_date"] is None
    *_, later = events_from(submitted, returned, resubmitted, start=NOON + timedelta(days=2))
    again = fold(VERIFICATION, [*events_from(submitted, returned), later])
    assert present_summary(Loaded(REQUEST, 3, again), TODAY, RULES)["target_date"] == date(2026, 11, 26)


def test_a_request_is_overdue_from_the_day_after_the_target():
    assert not present_summary(loaded(submitted), date(2026, 11, 24), RULES)["overdue"]
    assert present_summary(loaded(submitted), date(2026, 11, 25), RULES)["overdue"]


def test_a_list_item_shows_working_days_overdue_and_the_deadline_of_the_applicant():
    friday, saturday = date(2026, 11, 27), date(2026, 11, 28)
    for day in (friday, saturday):
        shown = present_summary(loaded(submitted), day, RULES)
        assert (shown["due"], shown["overdue"], shown["overdue_days"]) == (date(2026, 11, 24), True, 3), day
    shown = present_summary(loaded(submitted, returned), returned.respond_by, RULES)
    assert (shown["stage"], shown["due"], shown["overdue"]) == ("reply", returned.respond_by, False)
    assert present_summary(loaded(submitted, returned), date(2027, 1, 1), RULES)["overdue"]
    ended = present_summary(loaded(submitted, withdrawn), TODAY, RULES)
    assert (ended["stage"], ended["due"], ended["overdue"], ended["overdue_days"]) == (None, None, False, 0)


def test_the_list_masks_the_employee_number_and_the_request_shows_it():
    assert present_summary(loaded(submitted), TODAY, RULES)["employee_number"] == "198502** ****** * ***"
    assert present_request(loaded(submitted), TODAY, RULES, Checklists())["employee_number"] == "198502302010011001"


def test_a_list_item_has_the_documented_fields():
    promised = "id number status version name unit scope round submitted_at target_date lead percent warnings"
    assert {*promised.split(), "stage", "due", "overdue", "overdue_days"} <= present_summary(
        loaded(submitted), TODAY, RULES
    ).keys()


def test_the_list_shows_the_progress_of_the_work():
    line = present_summary(loaded(*ASSIGNED, started, progressed), TODAY, RULES)
    assert (line["lead"], line["percent"], line["target_date"]) == ("dewi", 40, assigned.target_date)


def test_a_request_shows_checklist_warnings_and_history_as_text():
    shown = present_request(loaded(submitted, recommended), TODAY, RULES, Checklists())
    assert [line["item"] for line in shown["checklist"]] == list(ChecklistItem)
    assert shown["warnings"][0]["code"] == "birth_date"
    assert "kalender" in shown["warnings"][0]["message"]
    assert [line["label"] for line in shown["timeline"]] == ["Permohonan diajukan", "Penolakan disarankan"]
    assert shown["recommendation"]["reason"] == "Di luar lingkup."


def test_storage_keys_of_documents_are_not_shown():
    shown = present_request(loaded(*DELIVERED), TODAY, RULES, Checklists())["documents"]
    assert {line["id"] for line in shown} == {"surat", "kamus-data", "alur", "laporan", "bast"}
    assert all("key" not in line for line in shown)


def test_a_document_is_found_by_id_until_it_is_replaced():
    assert find_document(state_after(submitted), "surat") is not None
    assert find_document(state_after(submitted, returned, resubmitted), "surat") is None


def test_the_columns_match_the_filters_of_the_queue():
    columns = VERIFICATION.columns(state_after(submitted))
    assert str(columns["search"]).startswith("int-2026-000001 rahmat contoh dinas perhubungan rahmat@dishub.example ")
    assert columns["due"] == "2026-11-24"
    assert VERIFICATION.columns(state_after(submitted, withdrawn))["open"] == 0
    assert set(columns) == {column.name for column in VERIFICATION.indexed_columns}
    wanted = requests_query(status="submitted", unit="Dinas Perhubungan", scope="data", search="RAHMAT", open_only=True)
    assert {name: columns[name] for name in wanted.where} == wanted.where
    assert wanted.search in str(columns["search"])
