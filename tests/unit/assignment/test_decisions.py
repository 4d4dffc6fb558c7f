"""The decisions of assignment: given events, when a command, then events or a refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.assignment.access import acting_for_lead, is_lead, was_just_reassigned_from
from services.assignment.decider import decider
from services.assignment.domain.commands import (
    AssignLead,
    ChangeTarget,
    CompleteWork,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    RemindResponsible,
    ResumeWork,
    StartWork,
)
from services.assignment.domain.decisions import next_record_number, suggested_target
from services.assignment.domain.state import State
from services.assignment.presenters import (
    objection,
    present_page,
    present_request,
    present_row,
    present_summary,
    target_warnings,
)
from services.assignment.projections import open_work_query, overdue_work_query, requests_query, work_list_query
from shared.contracts.assignment import (
    LeadReassigned,
    ReminderRequested,
    RequestRejected,
    TargetChanged,
    WorkCompleted,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
    WorkStarted,
)
from shared.contracts.facts import Complexity, Fact
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import find_document
from shared.contracts.stages import StageRules
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.identity.substitutes import Capacity, SubstitutionKind
from shared.runtime.executor import Loaded
from tests.support.domain.given_when_then import NOON, REQUEST, events_from, fold, given, interleavings, refusal_of
from tests.support.domain.request_events import (
    ASSIGNED,
    CALENDAR,
    DELIVERED,
    DEWI,
    HASAN,
    IN_PROGRESS,
    ON_HOLD,
    PATHS,
    RECORD,
    RESULT,
    RONAL,
    VERIFIED,
    answered,
    assigned,
    completed,
    confirmed,
    contested,
    paused,
    progressed,
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

RULES = StageRules(CALENDAR)
ASSIGNMENT = decider(lambda: RULES)
TODAY = date(2026, 11, 23)
TARGET = date(2026, 12, 14)

REJECT = RejectRequest(HASAN, " Di luar lingkup layanan. ")
ASSIGN = AssignLead(HASAN, DEWI, Complexity.LOW, TARGET, "Mohon didahulukan.")
REASSIGN = ReassignLead(HASAN, RONAL, "Dewi Andaian cuti.")
RETARGET = ChangeTarget(HASAN, date(2026, 12, 18), " Perangkat baru tiba minggu depan. ")
START = StartWork(DEWI)
NOTE = NoteProgress(DEWI, "Uji sambungan berhasil.", 40)
PAUSE = PauseWork(DEWI, "Alamat server uji?")
RESUME = ResumeWork(DEWI, "Alamat diterima lewat telepon.")
COMPLETE = CompleteWork(DEWI, "Data tersinkron.", (RESULT, RECORD), "BAST/INT-2026-000001/1")
MOVES: dict[Any, frozenset[Status]] = {
    REJECT: frozenset({Status.SUBMITTED, Status.VERIFIED}),
    ASSIGN: frozenset({Status.VERIFIED}),
    REASSIGN: frozenset({Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD}),
    RETARGET: frozenset({Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD}),
    START: frozenset({Status.ASSIGNED}),
    NOTE: frozenset({Status.IN_PROGRESS}),
    PAUSE: frozenset({Status.IN_PROGRESS}),
    RESUME: frozenset({Status.ON_HOLD}),
    COMPLETE: frozenset({Status.IN_PROGRESS}),
}
OF_THE_LEAD = (START, NOTE, PAUSE, RESUME, COMPLETE)


def state_after(*facts: Fact) -> State:
    return given(ASSIGNMENT, *facts)


def decided(command: Any, *facts: Fact, days: int = 0) -> list[Fact]:
    return list(ASSIGNMENT.decide(state_after(*facts), command, NOON + timedelta(days=days)))


def refusal(command: Any, *facts: Fact) -> str:
    return refusal_of(ASSIGNMENT, state_after(*facts), command).code


def kept(*facts: Fact) -> Loaded[State]:
    return Loaded(REQUEST, len(facts), state_after(*facts))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("command", MOVES)
def test_commands_are_accepted_only_in_their_statuses(command: Any, status: Status):
    state = state_after(*PATHS[status])
    if status in MOVES[command]:
        assert ASSIGNMENT.decide(state, command, NOON)
    else:
        refusal = refusal_of(ASSIGNMENT, state, command)
        nobody_leads = command in OF_THE_LEAD and state.lead is None
        assert refusal.code == ("not_your_request" if nobody_leads else "moved_on")


def test_the_head_rejects_with_a_reason():
    assert decided(REJECT, submitted) == [RequestRejected(reason="Di luar lingkup layanan.", by=HASAN)]
    assert refusal(RejectRequest(HASAN, " "), submitted) == "reason_missing"


def test_a_recommendation_is_in_the_state_before_the_rejection():
    state = state_after(submitted, recommended)
    assert state.recommendation is not None
    assert state.recommendation.reason == recommended.reason
    assert ASSIGNMENT.decide(state, REJECT, NOON)


def test_the_head_assigns_a_lead_with_a_target():
    assert decided(ASSIGN, *VERIFIED) == [assigned]


@pytest.mark.parametrize("command", [replace(ASSIGN, target_date=date(2026, 11, 22))])
def test_a_target_in_the_past_is_refused(command: Any):
    refusal = refusal_of(ASSIGNMENT, state_after(*VERIFIED), command)
    assert (refusal.code, refusal.params["today"]) == ("target_in_the_past", TODAY)


def test_today_is_a_valid_target_until_midnight_in_halmahera_timur():
    today = replace(ASSIGN, target_date=TODAY)
    assert ASSIGNMENT.decide(state_after(*VERIFIED), today, NOON.replace(hour=14, minute=59))
    assert refusal_of(ASSIGNMENT, state_after(*VERIFIED), today, NOON.replace(hour=15)).code == "target_in_the_past"


def test_the_second_of_two_assignments_is_refused_with_the_first():
    refusal = refusal_of(ASSIGNMENT, state_after(*ASSIGNED), ASSIGN)
    first = {"by": "Hasan Umpama", "at": NOON + timedelta(minutes=2), "event": "LeadAssigned"}
    assert refusal.params == {"status": Status.ASSIGNED, **first}


def test_a_withdrawn_request_cannot_be_assigned():
    refusal = refusal_of(ASSIGNMENT, state_after(submitted, withdrawn, verified), ASSIGN)
    assert (refusal.code, refusal.params["event"]) == ("moved_on", "RequestWithdrawn")


@pytest.mark.parametrize("before", [ASSIGNED, IN_PROGRESS, ON_HOLD])
def test_a_lead_is_replaced_and_the_target_stays(before: tuple[Fact, ...]):
    assert decided(REASSIGN, *before) == [
        LeadReassigned(lead=RONAL, previous=DEWI, reason=REASSIGN.reason, target_date=TARGET, by=HASAN)
    ]


def test_what_is_delivered_gets_another_lead_only_when_the_lead_leaves():
    assert refusal(REASSIGN, *DELIVERED) == "moved_on"
    leaves = replace(REASSIGN, lead_leaves=True)
    [fact] = decided(leaves, *DELIVERED)
    state = state_after(*DELIVERED, fact)
    assert (state.status, state.lead, state.target_date) == (Status.DELIVERED, RONAL, TARGET)
    again = (*DELIVERED, fact, contested)
    assert (state_after(*again).status, state_after(*again).lead) == (Status.IN_PROGRESS, RONAL)
    assert refusal(leaves, *PATHS[Status.COMPLETED]) == "moved_on"
    assert refusal(leaves, *PATHS[Status.VERIFIED]) == "moved_on"


def test_a_new_lead_may_get_a_new_target_but_none_in_the_past():
    [fact] = decided(replace(REASSIGN, target_date=date(2026, 12, 21)), *ASSIGNED)
    assert isinstance(fact, LeadReassigned)
    assert fact.target_date == date(2026, 12, 21)
    assert refusal(replace(REASSIGN, target_date=date(2026, 11, 20)), *ASSIGNED) == "target_in_the_past"


def test_a_lead_is_not_replaced_by_the_same_one_nor_without_a_reason():
    assert refusal(replace(REASSIGN, lead=DEWI), *ASSIGNED) == "same_lead"
    assert refusal(replace(REASSIGN, reason=""), *ASSIGNED) == "reason_missing"


@pytest.mark.parametrize("before", [ASSIGNED, IN_PROGRESS, ON_HOLD])
def test_the_head_changes_the_target_and_the_lead_stays(before: tuple[Fact, ...]):
    facts = decided(RETARGET, *before)
    assert facts == [
        TargetChanged(
            target_date=date(2026, 12, 18), previous=TARGET, reason="Perangkat baru tiba minggu depan.", by=HASAN
        )
    ]
    state = state_after(*before, *facts)
    assert (state.lead, state.target_date, state.status) == (DEWI, date(2026, 12, 18), state_after(*before).status)


def test_a_changed_target_is_another_day_that_has_not_passed_with_a_reason():
    assert refusal(replace(RETARGET, target_date=date(2026, 11, 22)), *ASSIGNED) == "target_in_the_past"
    assert refusal(replace(RETARGET, target_date=TARGET), *ASSIGNED) == "same_target"
    assert refusal(replace(RETARGET, reason=" "), *ASSIGNED) == "reason_missing"


def test_a_target_changed_during_a_pause_moves_by_the_days_after_it_alone():
    events = events_from(*ON_HOLD, *decided(RETARGET, *ON_HOLD), start=NOON + timedelta(2))
    state = fold(ASSIGNMENT, [*events_from(*ON_HOLD), events[-1]])
    [fact] = ASSIGNMENT.decide(state, RESUME, NOON + timedelta(days=3))
    assert isinstance(fact, WorkResumed)
    assert (fact.days, fact.target_date) == (1, date(2026, 12, 21))


@pytest.mark.parametrize(
    ("day", "message", "next_day"),
    [
        (
            date(2026, 12, 13),
            "Minggu, 13 Desember 2026 bukan hari kerja. Hari kerja berikutnya Senin, 14 Desember 2026.",
            date(2026, 12, 14),
        ),
        (
            date(2026, 12, 1),
            "Selasa, 1 Desember 2026 hari libur (Hari libur rekaan). Hari kerja berikutnya Rabu, 2 Desember 2026.",
            date(2026, 12, 2),
        ),
    ],
)
def test_a_target_on_a_day_off_is_warned_of_with_the_next_working_day(day: date, message: str, next_day: date):
    assert target_warnings(day, RULES.calendar) == [
        {"code": "not_a_working_day", "message": message, "next_working_day": next_day}
    ]
    assert target_warnings(next_day, RULES.calendar) == []


@pytest.mark.parametrize(
    ("before", "days", "responsible", "stage", "due"),
    [
        ((submitted,), 2, "role:officer", "verify", date(2026, 11, 24)),
        (VERIFIED, 3, "role:structural", "appoint", date(2026, 11, 25)),
        (ASSIGNED, 3, "staff:dewi", "start", date(2026, 11, 25)),
        (IN_PROGRESS, 22, "staff:dewi", "work", TARGET),
        (ON_HOLD, 9, "applicant", "reply", date(2026, 11, 30)),
        (DELIVERED, 9, "applicant", "confirm", date(2026, 11, 30)),
    ],
)
def test_the_one_responsible_for_an_overdue_stage_is_reminded(
    before: tuple[Fact, ...], days: int, responsible: str, stage: str, due: date
):
    [fact] = decided(RemindResponsible(HASAN, others=2), *before, days=days)
    assert isinstance(fact, ReminderRequested)
    assert (fact.responsible, fact.stage, fact.due, fact.others, fact.by) == (responsible, stage, due, 2, HASAN)


def test_a_reminder_is_for_what_is_overdue_and_once_a_day():
    assert refusal(RemindResponsible(HASAN), *ASSIGNED) == "not_overdue"
    assert refusal(RemindResponsible(HASAN), submitted, withdrawn) == "not_overdue"
    reminded = decided(RemindResponsible(HASAN), *ASSIGNED, days=3)
    state = fold(
        ASSIGNMENT, [*events_from(*ASSIGNED), events_from(*ASSIGNED, *reminded, start=NOON + timedelta(3))[-1]]
    )
    assert (
        refusal_of(ASSIGNMENT, state, RemindResponsible(HASAN), NOON + timedelta(3, hours=2)).code == "reminded_today"
    )
    assert ASSIGNMENT.decide(state, RemindResponsible(HASAN), NOON + timedelta(4))


@pytest.mark.parametrize("command", OF_THE_LEAD)
def test_another_lead_cannot_work_on_the_request(command: Any):
    for status in (Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD, Status.WITHDRAWN):
        assert refusal(replace(command, by=RONAL), *PATHS[status]) == "not_your_request"


def test_after_a_reassignment_only_the_new_lead_can_work():
    state = state_after(*ASSIGNED, *decided(REASSIGN, *ASSIGNED))
    assert refusal_of(ASSIGNMENT, state, START).code == "not_your_request"
    assert ASSIGNMENT.decide(state, StartWork(RONAL), NOON) == [WorkStarted(by=RONAL)]


def test_progress_has_an_optional_percentage_that_may_decrease():
    assert decided(NOTE, *IN_PROGRESS) == [WorkProgressed(note=NOTE.note, percent=40, by=DEWI)]
    assert decided(NoteProgress(DEWI, "Diulang dari awal.", 0), *IN_PROGRESS, progressed)
    assert decided(NoteProgress(DEWI, "Menunggu jaringan."), *IN_PROGRESS, progressed)


def test_progress_without_percent_keeps_the_percent():
    silent = progressed.model_copy(update={"percent": None})
    assert state_after(*IN_PROGRESS, progressed, silent).percent == 40


@pytest.mark.parametrize("percent", [-1, 101])
def test_percent_lies_between_0_and_100(percent: int):
    assert refusal(replace(NOTE, percent=percent), *IN_PROGRESS) == "percent_out_of_range"


def test_required_texts_must_not_be_blank():
    assert refusal(replace(NOTE, note=" "), *IN_PROGRESS) == "note_missing"
    assert refusal(replace(PAUSE, question=" "), *IN_PROGRESS) == "question_missing"
    assert refusal(replace(COMPLETE, summary=" "), *IN_PROGRESS) == "summary_missing"


def test_an_answer_is_due_after_five_working_days():
    assert decided(PAUSE, *IN_PROGRESS) == [
        WorkPaused(pause=1, question=PAUSE.question, answer_by=date(2026, 11, 30), by=DEWI)
    ]


def test_pauses_are_numbered():
    [fact] = decided(PAUSE, *ON_HOLD, answered, resumed)
    assert isinstance(fact, WorkPaused)
    assert fact.pause == 2


@pytest.mark.parametrize(("days", "paused_for", "target"), [(0, 0, 14), (1, 1, 15), (7, 5, 21), (14, 9, 25)])
def test_the_target_moves_by_the_working_days_paused(days: int, paused_for: int, target: int):
    [fact] = decided(RESUME, *ON_HOLD, days=days)
    moved_to = date(2026, 12, target)
    assert fact == WorkResumed(pause=1, days=paused_for, target_date=moved_to, note=RESUME.note, by=DEWI)


def test_a_target_set_during_a_pause_moves_by_the_days_after_it_alone():
    new_target = date(2026, 12, 18)
    events = events_from(*ON_HOLD)
    moved = events_from(
        *ON_HOLD, *decided(replace(REASSIGN, target_date=new_target), *ON_HOLD), start=NOON + timedelta(2)
    )
    state = fold(ASSIGNMENT, [*events, moved[-1]])
    [fact] = ASSIGNMENT.decide(state, ResumeWork(RONAL), NOON + timedelta(days=3))
    assert isinstance(fact, WorkResumed)
    assert (fact.days, fact.target_date) == (1, date(2026, 12, 21))


def test_the_applicants_answer_resumes_the_work():
    *_, answer = events_from(*ON_HOLD, answered)
    state = state_after(*ON_HOLD, answered)
    [command] = ASSIGNMENT.react(state, answer)
    assert ASSIGNMENT.decide(state, command, NOON + timedelta(days=1)) == [
        WorkResumed(pause=1, days=1, target_date=date(2026, 12, 15))
    ]


def test_an_answer_that_crosses_a_resumption_changes_nothing():
    for facts in ((*ON_HOLD, resumed, answered), (*ON_HOLD, resumed, paused.model_copy(update={"pause": 2}), answered)):
        *_, answer = events_from(*facts)
        assert not ASSIGNMENT.react(state_after(*facts), answer)


def test_an_answer_that_crosses_a_withdrawal_does_not_resume_the_work():
    *_, answer = events_from(*ON_HOLD, withdrawn, answered)
    assert not ASSIGNMENT.react(state_after(*ON_HOLD, withdrawn, answered), answer)


def test_work_is_not_resumed_automatically_without_an_answer():
    assert refusal(ResumeWork(), *ON_HOLD) == "moved_on"
    assert refusal(ResumeWork(), *ON_HOLD, answered, resumed) == "moved_on"


def test_a_resumption_after_the_answer_is_refused_with_the_answer():
    refusal = refusal_of(ASSIGNMENT, state_after(*ON_HOLD, answered), RESUME)
    assert (refusal.params["status"], refusal.params["event"]) == (Status.IN_PROGRESS, "ApplicantAnswered")


def test_the_work_is_handed_over_with_its_record():
    assert decided(COMPLETE, *IN_PROGRESS) == [
        WorkCompleted(
            delivery=1,
            summary=COMPLETE.summary,
            documents=(RESULT, RECORD),
            record_number="BAST/INT-2026-000001/1",
            confirm_by=date(2026, 11, 30),
            remind_on=(date(2026, 11, 26),),
            by=DEWI,
        )
    ]


def test_a_handover_needs_a_result_and_the_record_with_its_number():
    assert refusal(replace(COMPLETE, documents=(RECORD,)), *IN_PROGRESS) == "documents_missing"
    assert refusal(replace(COMPLETE, documents=(RESULT,)), *IN_PROGRESS) == "record_missing"
    outdated = refusal_of(ASSIGNMENT, state_after(*DELIVERED, contested), COMPLETE)
    assert (outdated.code, outdated.params["record_number"]) == ("record_outdated", "BAST/INT-2026-000001/2")


def test_an_objection_reopens_the_work_and_the_next_delivery_is_numbered():
    state = state_after(*DELIVERED, contested)
    assert state.status is Status.IN_PROGRESS
    again = replace(COMPLETE, record_number=next_record_number(state))
    [fact] = ASSIGNMENT.decide(state, again, NOON)
    assert isinstance(fact, WorkCompleted)
    assert fact.delivery == 2


def test_work_on_hold_is_not_handed_over():
    assert refusal(COMPLETE, *ON_HOLD) == "moved_on"


@pytest.mark.parametrize(
    ("before", "lines", "ends"),
    [
        ((submitted,), ((withdrawn,), (verified,), (rejected,)), Status.WITHDRAWN),
        ((submitted,), ((returned,), (rejected,)), Status.REJECTED),
        (VERIFIED, ((withdrawn,), (assigned,)), Status.WITHDRAWN),
        (IN_PROGRESS, ((withdrawn,), (completed,)), Status.WITHDRAWN),
        (ON_HOLD, ((answered,), (resumed,)), Status.IN_PROGRESS),
        (ON_HOLD, ((answered,), (resumed, paused.model_copy(update={"pause": 2}))), Status.ON_HOLD),
        (ON_HOLD, ((answered, withdrawn), (resumed, progressed)), Status.WITHDRAWN),
    ],
)
def test_crossing_events_give_the_same_state_in_any_order(
    before: tuple[Fact, ...], lines: tuple[tuple[Fact, ...], ...], ends: Status
):
    events = events_from(*before, *(fact for line in lines for fact in line))
    known, crossing = events[: len(before)], events[len(before) :]
    by_source = [[event for event in crossing if event.source == line[0].owner] for line in lines]
    states = [fold(ASSIGNMENT, [*known, *order]) for order in interleavings(*by_source)]
    assert states[0].status is ends
    assert all(state == states[0] for state in states)


def test_a_resubmission_replaces_what_was_sent():
    state = state_after(submitted, returned, resubmitted)
    assert (state.documents, state.course.round) == (resubmitted.documents, 2)


def test_answers_to_the_survey_are_stored_outside_the_history():
    state = state_after(*DELIVERED, confirmed, surveyed)
    assert state.survey is not None
    assert state.survey.scores == (3, 3, 3, 4, 3, 3, 4, 3, 3)
    assert replace(state, survey=None) == state_after(*DELIVERED, confirmed)


def test_the_suggested_target_is_20_working_days_ahead():
    assert suggested_target(TODAY, RULES) == date(2026, 12, 22)


LATE = TARGET + timedelta(days=1)


@pytest.mark.parametrize(
    ("facts", "day", "late"),
    [
        (IN_PROGRESS, TARGET, False),
        (IN_PROGRESS, LATE, True),
        (ASSIGNED, LATE, True),
        (ON_HOLD, date(2026, 11, 30), False),
        (ON_HOLD, date(2026, 12, 2), True),
        (DELIVERED, date(2026, 11, 30), False),
        (DELIVERED, date(2026, 12, 2), True),
        ((*DELIVERED, contested), LATE, True),
        ((*IN_PROGRESS, withdrawn), LATE, False),
        (VERIFIED, date(2026, 11, 25), False),
        (VERIFIED, date(2026, 11, 26), True),
    ],
)
def test_an_overdue_request_is_found_by_its_column(facts: tuple[Fact, ...], day: date, late: bool):
    assert present_summary(kept(*facts), day, RULES)["overdue"] is late
    stored = ASSIGNMENT.columns(state_after(*facts))["due"]
    assert (isinstance(stored, str) and stored < str(overdue_work_query("dewi", day).below["due"])) is late


def test_a_question_asked_too_late_does_not_hide_that_the_target_was_missed():
    events = [*events_from(*IN_PROGRESS), *events_from(*ON_HOLD, start=NOON + timedelta(days=30))[-1:]]
    assert present_summary(Loaded(REQUEST, 5, fold(ASSIGNMENT, events)), LATE + timedelta(days=20), RULES)["overdue"]


def test_a_list_item_has_the_fields_of_the_api():
    promised = "id number status version name unit scope round submitted_at target_date lead percent warnings"
    line = present_summary(kept(*IN_PROGRESS, progressed), TODAY, RULES)
    assert {*promised.split(), "stage", "due", "overdue", "overdue_days"} <= line.keys()
    assert (line["lead"], line["percent"], line["employee_number"]) == ("dewi", 40, "198502** ****** * ***")


def test_the_request_shows_what_head_and_lead_need():
    shown = present_request(kept(submitted, recommended, *ON_HOLD[1:]), TODAY, RULES)
    assert shown["recommendation"]["by"] == "Nurlaila Ibarat"
    assert (shown["question"], shown["complexity"], shown["note"]) == (paused.question, "low", "Mohon didahulukan.")
    assert shown["timeline"][-1]["by"] == "Dewi Andaian, Penanggung Jawab Teknis"
    assert shown["employee_number"] == "198502302010011001"


def test_an_automatic_confirmation_is_attributed_to_the_system():
    by_silence = confirmed.model_copy(update={"automatic": True})
    assert present_request(kept(*DELIVERED, by_silence), TODAY, RULES)["timeline"][-1]["by"] == "Sistem"
    assert present_request(kept(*DELIVERED, confirmed), TODAY, RULES)["timeline"][-1]["by"] == "Pemohon"


def test_submitted_documents_and_results_are_found_by_id():
    state = state_after(*DELIVERED)
    assert find_document(state, "bast") == RECORD
    assert find_document(state, "surat") is not None
    assert find_document(state, "lain") is None


@pytest.mark.parametrize("command", OF_THE_LEAD)
def test_a_substitute_works_on_the_request_of_the_lead(command: Any):
    acting = RONAL.model_copy(update={"acting_for": "dewi"})
    (status,) = MOVES[command]
    (fact, *_) = ASSIGNMENT.decide(state_after(*PATHS[status]), replace(command, by=acting), NOON)
    assert fact.model_dump()["by"]["acting_for"] == "dewi"
    other = RONAL.model_copy(update={"acting_for": "hasan"})
    assert refusal(replace(command, by=other), *PATHS[status]) == "not_your_request"


def principal(username: str, *capacities: Capacity) -> Principal:
    return Principal(username, username, (Role.TECHNICAL,), "", "", (Role.TECHNICAL,), capacities)


def test_the_lead_and_a_substitute_are_recognised_as_lead():
    for_dewi = Capacity(SubstitutionKind.PLH, "dewi", "Dewi Andaian", (Role.TECHNICAL,))
    assert is_lead(state_after(*ASSIGNED), principal("dewi"))
    assert is_lead(state_after(*ASSIGNED), principal("ronal", for_dewi))
    assert not is_lead(state_after(*ASSIGNED), principal("ronal"))
    assert not is_lead(state_after(*VERIFIED), principal("dewi"))
    assert (
        acting_for_lead(state_after(*ASSIGNED), principal("ronal", for_dewi)).staff.name == "ronal (Plh. Dewi Andaian)"
    )
    assert acting_for_lead(state_after(*ASSIGNED), principal("dewi", for_dewi)).staff == DEWI.model_copy(
        update={"name": "dewi"}
    )


def test_work_of_a_lead_is_found_and_counted_by_columns():
    columns = ASSIGNMENT.columns(state_after(*ON_HOLD))
    assert set(columns) == {column.name for column in ASSIGNMENT.indexed_columns}
    for find in (
        work_list_query("dewi"),
        open_work_query("dewi"),
        requests_query(lead="dewi", status="on_hold", open_only=True),
    ):
        assert {name: columns[name] for name in find.where} == find.where
    assert ASSIGNMENT.columns(state_after(*DELIVERED))["open"] == 1
    assert ASSIGNMENT.columns(state_after(*DELIVERED, confirmed))["open"] == 0


@pytest.mark.parametrize(
    ("facts", "stands"),
    [
        ((submitted, recommended), 1),
        ((submitted, recommended, verified), 1),
        ((submitted, recommended, rejected), None),
        ((submitted, recommended, withdrawn), None),
        ((submitted, recommended, returned, resubmitted), None),
        (VERIFIED, None),
    ],
)
def test_a_recommendation_is_found_while_it_is_undecided_in_its_round(facts: tuple[Fact, ...], stands: int | None):
    assert ASSIGNMENT.columns(state_after(*facts))["advised"] == stands
    assert requests_query(advised=True).where == {"advised": 1, "open": 1}
    assert present_row(kept(*facts), TODAY, RULES)["advised"] is bool(stands)


def test_an_item_contains_the_working_days_since_its_stage_was_due():
    late = present_summary(kept(*IN_PROGRESS), LATE + timedelta(days=1), RULES)
    assert (late["stage"], late["due"], late["overdue_days"]) == ("work", TARGET, 2)
    assert present_summary(kept(*IN_PROGRESS), TARGET, RULES)["overdue_days"] == 0
    waiting = present_summary(kept(*VERIFIED), TODAY + timedelta(days=3), RULES)
    assert (waiting["stage"], waiting["due"], waiting["overdue_days"]) == ("appoint", date(2026, 11, 25), 1)


def test_days_off_after_the_due_date_are_no_working_days():
    facts = (*VERIFIED, assigned.model_copy(update={"target_date": date(2026, 11, 27)}), started)
    shown = present_summary(kept(*facts), date(2026, 11, 29), RULES)
    assert (shown["overdue"], shown["overdue_days"]) == (True, 0)


@pytest.mark.parametrize(("days", "target"), [(0, 14), (1, 15), (7, 21)])
def test_the_displayed_target_is_the_one_that_resuming_sets(days: int, target: int):
    displayed = present_page(kept(*ON_HOLD), TODAY + timedelta(days=days), RULES)["resumed_target"]
    [fact] = decided(RESUME, *ON_HOLD, days=days)
    assert isinstance(fact, WorkResumed)
    assert displayed == fact.target_date == date(2026, 12, target)
    assert present_page(kept(*IN_PROGRESS), TODAY, RULES)["resumed_target"] is None


def test_an_objection_stands_until_the_next_handover():
    shown = objection(state_after(*DELIVERED, contested))
    assert shown is not None
    assert shown.note == contested.reason
    again = completed.model_copy(update={"delivery": 2})
    assert objection(state_after(*DELIVERED, contested, again)) is None
    assert objection(state_after(*DELIVERED)) is None
    assert objection(state_after(*IN_PROGRESS)) is None


def test_only_the_former_lead_of_the_last_reassignment_lost_the_work():
    taken = state_after(*ASSIGNED, *decided(REASSIGN, *ASSIGNED))
    assert [was_just_reassigned_from(taken, lead) for lead in (principal("dewi"), principal("ronal"))] == [True, False]
    begun = state_after(*ASSIGNED, *decided(REASSIGN, *ASSIGNED), WorkStarted(by=RONAL))
    assert not was_just_reassigned_from(begun, principal("dewi"))
    assert not was_just_reassigned_from(state_after(*ASSIGNED), principal("dewi"))


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED])
def test_the_event_that_ended_a_request_is_presented(status: Status):
    ending = present_page(kept(*PATHS[status]), TODAY, RULES)["ending"]
    assert ending.event in {"HandoverConfirmed", "RequestRejected", "RequestWithdrawn", "RequestExpired"}
    assert present_page(kept(*DELIVERED), TODAY, RULES)["ending"] is None
