"""Claims and withdrawn recommendations, as given, when, then, in every service that hears of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from services.assignment.decider import decider as assignment_decider
from services.intake.decider import decider as intake_decider
from services.intake.domain.decisions import Rules as IntakeRules
from services.verification.decider import decider
from services.verification.domain.commands import (
    ClaimRequest,
    ReleaseClaim,
    ReturnRequest,
    VerifyRequest,
    WithdrawRecommendation,
)
from services.verification.domain.state import State
from services.verification.presenters import present_summary
from shared.calendar import WorkingCalendar
from shared.contracts.facts import ChecklistItem, Fact, Staff
from shared.contracts.stages import StageRules
from shared.contracts.verification import (
    ClaimReleased,
    RecommendationWithdrawn,
    RequestClaimed,
    RequestVerified,
)
from shared.runtime.executor import Loaded
from tests.support.domain.given_when_then import NOON, REQUEST, events_from, fold, given, interleavings, refusal_of
from tests.support.domain.request_events import (
    ALL_OK,
    NURLAILA,
    recommended,
    rejected,
    resubmitted,
    returned,
    returned_for,
    submitted,
    verified,
    withdrawn,
)

CALENDAR = WorkingCalendar({})
VERIFICATION = decider(lambda: StageRules(CALENDAR))
INTAKE = intake_decider(IntakeRules())
ASSIGNMENT = assignment_decider(lambda: StageRules(CALENDAR))
SAMSUL = Staff(username="samsul", name="Samsul Seandainya")
claimed = RequestClaimed(round=1, officer=NURLAILA, by=NURLAILA)
released = ClaimReleased(round=1, by=SAMSUL)
advice_withdrawn = RecommendationWithdrawn(round=1, by=SAMSUL)
CLAIM = ClaimRequest(NURLAILA, officer=NURLAILA)
VERIFY = VerifyRequest(SAMSUL, ALL_OK, ("birth_date",))


def state_after(*facts: Fact) -> State:
    return given(VERIFICATION, *facts)


def decided(command: Any, *facts: Fact) -> list[Fact]:
    return list(VERIFICATION.decide(state_after(*facts), command, NOON))


def refusal(command: Any, *facts: Fact) -> str:
    return refusal_of(VERIFICATION, state_after(*facts), command).code


def test_an_officer_claims_a_request_once():
    assert decided(CLAIM, submitted) == [claimed]
    assert decided(CLAIM, submitted, claimed) == []


def test_a_claim_of_a_colleague_is_refused_with_name_and_time():
    found = refusal_of(VERIFICATION, state_after(submitted, claimed), ClaimRequest(SAMSUL, officer=SAMSUL))
    assert (found.code, found.params) == (
        "already_claimed",
        {"by": "Nurlaila Ibarat", "at": NOON + timedelta(minutes=1)},
    )


def test_a_request_is_assigned_to_a_colleague_whoever_has_it():
    command = ClaimRequest(NURLAILA, officer=SAMSUL, replace=True)
    assert decided(command, submitted, claimed) == [RequestClaimed(round=1, officer=SAMSUL, by=NURLAILA)]


def test_a_claim_is_released_by_any_officer():
    assert decided(ReleaseClaim(SAMSUL), submitted, claimed) == [released]
    assert refusal(ReleaseClaim(SAMSUL), submitted) == "not_claimed"
    assert decided(ClaimRequest(SAMSUL, officer=SAMSUL), submitted, claimed, released) == [
        RequestClaimed(round=1, officer=SAMSUL, by=SAMSUL)
    ]


@pytest.mark.parametrize("command", [CLAIM, ReleaseClaim(NURLAILA), WithdrawRecommendation(NURLAILA)])
@pytest.mark.parametrize("ending", [returned, verified, rejected, withdrawn])
def test_only_a_request_that_awaits_an_officer_is_claimed_or_released(command: Any, ending: Fact):
    assert refusal(command, submitted, claimed, ending) == "moved_on"


@pytest.mark.parametrize("ending", [released, returned, verified, rejected, withdrawn])
def test_a_claim_ends_with_its_release_the_decision_or_the_request(ending: Fact):
    assert state_after(submitted, claimed).active_claim is not None
    assert state_after(submitted, claimed, ending).active_claim is None
    assert state_after(submitted, claimed, returned, resubmitted).active_claim is None


def test_a_colleague_may_decide_on_a_claimed_request():
    assert decided(VERIFY, submitted, claimed) == [
        RequestVerified(round=1, verdicts=ALL_OK, acknowledged=("birth_date",), by=SAMSUL)
    ]


def test_the_queue_says_who_checks_a_request():
    def summary(*facts: Fact) -> dict[str, Any]:
        return present_summary(Loaded(REQUEST, 2, state_after(*facts)), date(2026, 11, 23), StageRules(CALENDAR))

    found = summary(submitted, claimed)
    assert (found["claimed_by"], found["claimed_by_name"], found["claimed_at"]) == (
        "nurlaila",
        "Nurlaila Ibarat",
        NOON + timedelta(minutes=1),
    )
    assert summary(submitted, claimed, verified)["claimed_by"] is None
    assert VERIFICATION.columns(state_after(submitted, claimed))["claimed_by"] == "nurlaila"
    assert VERIFICATION.columns(state_after(submitted, claimed, verified))["claimed_by"] is None


def test_a_recommended_request_is_verified_only_with_the_recommendation_withdrawn():
    assert refusal(VERIFY, submitted, recommended) == "recommendation_open"
    both = VerifyRequest(SAMSUL, ALL_OK, ("birth_date",), withdraw_recommendation=True)
    assert [type(fact) for fact in decided(both, submitted, recommended)] == [RecommendationWithdrawn, RequestVerified]
    assert [type(fact) for fact in decided(both, submitted)] == [RequestVerified]
    assert decided(VERIFY, submitted, recommended, advice_withdrawn) == decided(VERIFY, submitted)


def test_a_recommended_request_may_be_returned():
    letter_failed = returned_for(ChecklistItem.LETTER).verdicts
    assert decided(ReturnRequest(SAMSUL, letter_failed), submitted, recommended)


def test_a_recommendation_is_withdrawn_once():
    assert decided(WithdrawRecommendation(SAMSUL), submitted, recommended) == [advice_withdrawn]
    assert refusal(WithdrawRecommendation(SAMSUL), submitted) == "not_recommended"
    assert refusal(WithdrawRecommendation(SAMSUL), submitted, recommended, advice_withdrawn) == "not_recommended"


def test_a_recommendation_moves_a_request_to_a_list_of_its_own():
    def advised(*facts: Fact) -> object:
        return VERIFICATION.columns(state_after(*facts))["advised"]

    assert advised(submitted) is None
    assert advised(submitted, recommended) == 1
    assert advised(submitted, recommended, advice_withdrawn) is None
    assert advised(submitted, recommended, verified) is None


def test_intake_and_assignment_know_of_a_claim_in_any_order_of_events():
    lines = (
        events_from(submitted, resubmitted),
        events_from(claimed, returned, RequestClaimed(round=2, officer=SAMSUL, by=SAMSUL)),
    )
    for events in interleavings(*lines):
        intake, assignment = fold(INTAKE, events), fold(ASSIGNMENT, events)
        assert intake.active_claim is not None
        assert assignment.active_claim is not None
        assert assignment.active_claim.officer == SAMSUL
    assert given(INTAKE, submitted, claimed, released).active_claim is None
    assert given(INTAKE, submitted, claimed).active_claim is not None
    assert given(INTAKE, submitted, claimed, withdrawn).active_claim is None


def test_applicants_and_heads_do_not_read_of_claims_in_the_history():
    facts = (submitted, claimed, released)
    for history in (given(INTAKE, *facts).history, given(ASSIGNMENT, *facts).history):
        assert [entry.event for entry in history] == ["RequestSubmitted"]
    assert [entry.event for entry in state_after(submitted, claimed, released).history] == [
        "RequestSubmitted",
        "RequestClaimed",
        "ClaimReleased",
    ]


def test_the_history_names_the_colleague_to_whom_a_request_was_assigned():
    passed_on = RequestClaimed(round=1, officer=SAMSUL, by=NURLAILA)
    assert [(entry.by, entry.note) for entry in state_after(submitted, claimed, passed_on).history[1:]] == [
        ("Nurlaila Ibarat", ""),
        ("Nurlaila Ibarat", "Samsul Seandainya"),
    ]


def test_assignment_forgets_a_withdrawn_recommendation():
    assert given(ASSIGNMENT, submitted, recommended).recommendation is not None
    assert given(ASSIGNMENT, submitted, recommended, advice_withdrawn).recommendation is None
