"""Intake, given - when - then: what an applicant may do at each step, and what silence decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from services.intake import queries
from services.intake.domain import (
    AnswerQuestion,
    AnswerSurvey,
    ConfirmBySilence,
    ConfirmHandover,
    ContestHandover,
    ExpireRequest,
    ResubmitRequest,
    Rules,
    State,
    SubmitRequest,
    WithdrawRequest,
    decider,
    next_number,
    number_prefix,
)
from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts import verification as v
from shared.contracts.course import ENDED, Status
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    Complexity,
    DocumentKind,
    DocumentRef,
    Fact,
    Letter,
    Scope,
    Staff,
    Verdict,
)
from tests.domain.given import NOON, crossings, fold, given, refused, story

INTAKE = decider(Rules())

NURLAILA = Staff(username="nurlaila", name="Nurlaila Ibarat")
HASAN = Staff(username="hasan", name="Hasan Umpama")
DEWI = Staff(username="dewi", name="Dewi Andaian")


def paper(name: str, kind: DocumentKind, round: int = 1) -> DocumentRef:
    return DocumentRef(
        id=name,
        kind=kind,
        name=f"{name}.pdf",
        size=1024,
        media_type="application/pdf",
        sha256="ab" * 32,
        key=f"2026/{name}",
        round=round,
    )


LETTER = paper("surat", DocumentKind.LETTER)
DATASET = paper("kamus-data", DocumentKind.REQUIREMENT)
FLOW = paper("alur", DocumentKind.REQUIREMENT)
NEW_LETTER = paper("surat-baru", DocumentKind.LETTER)
NEW_DATASET = paper("kamus-data-baru", DocumentKind.REQUIREMENT)
RESULT = paper("laporan", DocumentKind.RESULT)
RECORD = paper("bast", DocumentKind.HANDOVER_RECORD)

APPLICANT = Applicant(
    name="Rahmat Contoh",
    employee_number="198502302010011001",
    unit="Dinas Perhubungan",
    position="Pranata Komputer",
    email="rahmat@dishub.example",
)
SUBMIT = SubmitRequest(
    number="INT-2026-000001",
    applicant=APPLICANT,
    description="Data trayek dihubungkan ke portal data.",
    scope=Scope.DATA,
    letter=Letter(number="500/1/DISHUB", date=date(2026, 11, 20)),
    documents=(LETTER, DATASET, FLOW),
    warnings=("birth_date",),
)

submitted = i.RequestSubmitted(
    number=SUBMIT.number,
    applicant=APPLICANT,
    description=SUBMIT.description,
    scope=SUBMIT.scope,
    letter=SUBMIT.letter,
    documents=SUBMIT.documents,
    warnings=SUBMIT.warnings,
)
ALL_OK = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)


def returned_for(*items: ChecklistItem, round: int = 1) -> v.RequestReturned:
    verdicts = tuple(
        Verdict(item=item, ok=item not in items, note=f"{item.value}: mohon dilengkapi." if item in items else "")
        for item in ChecklistItem
    )
    return v.RequestReturned(round=round, verdicts=verdicts, respond_by=date(2026, 12, 7), by=NURLAILA)


returned = returned_for(ChecklistItem.LETTER)
resubmitted = i.RequestResubmitted(
    round=2,
    applicant=APPLICANT,
    description=SUBMIT.description,
    scope=SUBMIT.scope,
    letter=SUBMIT.letter,
    documents=(DATASET, FLOW, NEW_LETTER.model_copy(update={"round": 2})),
    replaced=("surat",),
    warnings=SUBMIT.warnings,
)
verified = v.RequestVerified(round=1, verdicts=ALL_OK, acknowledged=("birth_date",), by=NURLAILA)
recommended = v.RejectionRecommended(round=1, reason="Di luar lingkup.", by=NURLAILA)
rejected = a.RequestRejected(reason="Di luar lingkup layanan.", by=HASAN)
assigned = a.LeadAssigned(
    lead=DEWI, complexity=Complexity.LOW, target_date=date(2026, 12, 14), note="Mohon didahulukan.", by=HASAN
)
started = a.WorkStarted(by=DEWI)
progressed = a.WorkProgressed(note="Uji sambungan berhasil.", percent=40, by=DEWI)
paused = a.WorkPaused(pause=1, question="Alamat server uji?", answer_by=date(2026, 11, 30), by=DEWI)
answered = i.ApplicantAnswered(pause=1, text="10.0.0.1")
resumed = a.WorkResumed(pause=1, days=2, target_date=date(2026, 12, 16))
completed = a.WorkCompleted(
    delivery=1,
    summary="Data tersinkron setiap malam.",
    documents=(RESULT, RECORD),
    record_number="BAST/1/2026",
    confirm_by=date(2026, 11, 30),
    by=DEWI,
)
contested = i.HandoverContested(delivery=1, reason="Hasil uji belum ada.")
confirmed = i.HandoverConfirmed(delivery=1, automatic=False, survey_until=date(2026, 12, 7))
surveyed = i.SurveyAnswered(answers=(3, 3, 3, 4, 3, 3, 4, 3, 3))
withdrawn = i.RequestWithdrawn(reason="Sudah tidak diperlukan.")
expired = i.RequestExpired(round=1)

VERIFIED = (submitted, verified)
ASSIGNED = (*VERIFIED, assigned)
IN_PROGRESS = (*ASSIGNED, started)
ON_HOLD = (*IN_PROGRESS, paused)
DELIVERED = (*IN_PROGRESS, completed)
COMPLETED = (*DELIVERED, confirmed)

PATHS: dict[Status, tuple[Fact, ...]] = {
    Status.NEW: (),
    Status.SUBMITTED: (submitted,),
    Status.RETURNED: (submitted, returned),
    Status.VERIFIED: VERIFIED,
    Status.ASSIGNED: ASSIGNED,
    Status.IN_PROGRESS: IN_PROGRESS,
    Status.ON_HOLD: ON_HOLD,
    Status.DELIVERED: DELIVERED,
    Status.COMPLETED: COMPLETED,
    Status.REJECTED: (submitted, rejected),
    Status.WITHDRAWN: (submitted, withdrawn),
    Status.EXPIRED: (submitted, returned, expired),
}

LATE = datetime(2027, 3, 1, tzinfo=UTC)
COMMANDS: list[tuple[Any, frozenset[Status]]] = [
    (SUBMIT, frozenset({Status.NEW})),
    (ResubmitRequest(documents=(NEW_LETTER,)), frozenset({Status.RETURNED})),
    (
        WithdrawRequest("Sudah tidak diperlukan."),
        frozenset(Status) - ENDED - {Status.NEW, Status.DELIVERED},
    ),
    (AnswerQuestion("10.0.0.1"), frozenset({Status.ON_HOLD})),
    (ConfirmHandover(), frozenset({Status.DELIVERED})),
    (ContestHandover("Hasil uji belum ada."), frozenset({Status.DELIVERED})),
    (AnswerSurvey(surveyed.answers), frozenset({Status.COMPLETED})),
    (ExpireRequest(), frozenset({Status.RETURNED})),
    (ConfirmBySilence(), frozenset({Status.DELIVERED})),
]


def decided(state: State, command: Any, now: datetime = NOON) -> list[Fact]:
    return list(INTAKE.decide(state, command, now))


def test_the_paths_lead_where_they_say():
    assert {status: given(INTAKE, *path).status for status, path in PATHS.items()} == {s: s for s in Status}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("command", "allowed"), COMMANDS, ids=lambda value: type(value).__name__)
def test_no_step_is_taken_out_of_turn(command: Any, allowed: frozenset[Status], status: Status):
    state = given(INTAKE, *PATHS[status])
    now = LATE if isinstance(command, (ExpireRequest, ConfirmBySilence)) else NOON
    if status in allowed:
        assert decided(state, command, now)
    else:
        refusal = refused(INTAKE, state, command, now)
        assert (refusal.code, refusal.facts["status"]) == ("moved_on", status)


# new -> submitted


def test_a_sound_form_is_submitted():
    assert decided(INTAKE.initial(), SUBMIT) == [submitted]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ((DATASET,), "letter_missing"),
        ((LETTER, NEW_LETTER, DATASET), "letters_many"),
        ((LETTER,), "requirements_missing"),
        ((LETTER, *(paper(f"p{n}", DocumentKind.REQUIREMENT) for n in range(11))), "requirements_many"),
        ((LETTER, DATASET, RESULT), "document_misplaced"),
    ],
)
def test_a_form_needs_its_papers(documents: tuple[DocumentRef, ...], code: str):
    assert refused(INTAKE, INTAKE.initial(), replace(SUBMIT, documents=documents)).code == code


def test_ten_requirements_are_taken():
    ten = (LETTER, *(paper(f"p{n}", DocumentKind.REQUIREMENT) for n in range(10)))
    assert decided(INTAKE.initial(), replace(SUBMIT, documents=ten))


def test_a_letter_is_not_dated_after_today_in_halmahera():
    tomorrow = replace(SUBMIT, letter=Letter(number="1", date=date(2026, 11, 24)))
    assert refused(INTAKE, INTAKE.initial(), tomorrow).code == "letter_in_future"
    already_tomorrow_in_maba = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    assert decided(INTAKE.initial(), tomorrow, already_tomorrow_in_maba)


def test_registration_numbers_count_by_the_year_of_halmahera():
    assert number_prefix(datetime(2026, 12, 31, 14, 59, tzinfo=UTC)) == "INT-2026-"
    assert number_prefix(datetime(2026, 12, 31, 15, 0, tzinfo=UTC)) == "INT-2027-"
    assert next_number(None, "INT-2026-") == "INT-2026-000001"
    assert next_number("INT-2026-000099", "INT-2026-") == "INT-2026-000100"


# returned -> submitted


def test_a_new_letter_takes_the_place_of_the_old_one_by_itself():
    state = given(INTAKE, submitted, returned)
    assert decided(state, ResubmitRequest(documents=(NEW_LETTER,))) == [resubmitted]
    assert decided(state, ResubmitRequest(documents=(NEW_LETTER,), replaces=("surat",))) == [resubmitted]


def test_only_what_is_given_changes():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.FORM))
    [fact] = decided(state, ResubmitRequest(position="Analis Transportasi", phone="0811"))
    assert fact == resubmitted.model_copy(
        update={
            "applicant": APPLICANT.model_copy(update={"position": "Analis Transportasi", "phone": "0811"}),
            "documents": SUBMIT.documents,
            "replaced": (),
        }
    )


def test_a_corrected_number_brings_its_own_warnings():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.FORM))
    [fact] = decided(state, ResubmitRequest(employee_number="198502142010011001", warnings=()))
    assert isinstance(fact, i.RequestResubmitted)
    assert (fact.applicant.employee_number, fact.warnings) == ("198502142010011001", ())


ATTENDED: list[tuple[ChecklistItem, ResubmitRequest]] = [
    (ChecklistItem.FORM, ResubmitRequest(name="Rahmat Misal")),
    (ChecklistItem.FORM, ResubmitRequest(description="Data trayek dan jadwal.")),
    (ChecklistItem.LETTER, ResubmitRequest(documents=(NEW_LETTER,))),
    (ChecklistItem.LETTER, ResubmitRequest(letter_number="500/2/DISHUB")),
    (ChecklistItem.LETTER, ResubmitRequest(letter_date=date(2026, 11, 21))),
    (ChecklistItem.SCOPE, ResubmitRequest(scope=Scope.APPLICATION)),
    (ChecklistItem.SCOPE, ResubmitRequest(description="Data trayek dan jadwal.")),
    (ChecklistItem.SCOPE, ResubmitRequest(documents=(NEW_LETTER,))),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(documents=(NEW_DATASET,))),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(documents=(NEW_DATASET,), replaces=("kamus-data",))),
]
UNTOUCHED: list[tuple[ChecklistItem, ResubmitRequest]] = [
    *((item, ResubmitRequest()) for item in ChecklistItem),
    (ChecklistItem.FORM, ResubmitRequest(documents=(NEW_DATASET,))),
    (ChecklistItem.FORM, ResubmitRequest(name=APPLICANT.name)),
    (ChecklistItem.LETTER, ResubmitRequest(letter_number=SUBMIT.letter.number)),
    (ChecklistItem.LETTER, ResubmitRequest(documents=(NEW_DATASET,))),
    (ChecklistItem.SCOPE, ResubmitRequest(scope=SUBMIT.scope, phone="0811")),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(documents=(NEW_LETTER,))),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(replaces=("alur",))),
]


@pytest.mark.parametrize(("item", "command"), ATTENDED)
def test_a_failed_item_is_attended_to_by_what_it_is_about(item: ChecklistItem, command: ResubmitRequest):
    [fact] = decided(given(INTAKE, submitted, returned_for(item)), command)
    assert isinstance(fact, i.RequestResubmitted)
    assert fact.round == 2


@pytest.mark.parametrize(("item", "command"), UNTOUCHED)
def test_a_failed_item_that_nothing_was_done_about_is_named(item: ChecklistItem, command: ResubmitRequest):
    refusal = refused(INTAKE, given(INTAKE, submitted, returned_for(item)), command)
    assert (refusal.code, refusal.facts) == ("item_untouched", {"items": (item,)})


def test_every_failed_item_counts():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.LETTER, ChecklistItem.DOCUMENTS))
    refusal = refused(INTAKE, state, ResubmitRequest(documents=(NEW_LETTER,)))
    assert refusal.facts == {"items": (ChecklistItem.DOCUMENTS,)}
    [fact] = decided(state, ResubmitRequest(documents=(NEW_LETTER, NEW_DATASET), replaces=("kamus-data", "alur")))
    assert isinstance(fact, i.RequestResubmitted)
    assert [(document.id, document.round) for document in fact.documents] == [("surat-baru", 2), ("kamus-data-baru", 2)]
    assert fact.replaced == ("surat", "kamus-data", "alur")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ResubmitRequest(documents=(NEW_LETTER,), replaces=("entah",)), "document_unknown"),
        (ResubmitRequest(letter_number="2", replaces=("surat",)), "letter_missing"),
        (ResubmitRequest(documents=(NEW_LETTER, paper("x", DocumentKind.LETTER))), "letters_many"),
        (ResubmitRequest(documents=(NEW_LETTER,), replaces=("kamus-data", "alur")), "requirements_missing"),
        (
            ResubmitRequest(documents=(NEW_LETTER, *(paper(f"p{n}", DocumentKind.REQUIREMENT) for n in range(9)))),
            "requirements_many",
        ),
        (ResubmitRequest(documents=(NEW_LETTER,), letter_date=date(2026, 11, 24)), "letter_in_future"),
    ],
)
def test_what_is_left_must_still_be_a_request(command: ResubmitRequest, code: str):
    assert refused(INTAKE, given(INTAKE, submitted, returned), command).code == code


def test_a_replaced_document_can_neither_be_replaced_again_nor_opened():
    state = given(INTAKE, submitted, returned, resubmitted, returned_for(ChecklistItem.LETTER, round=2))
    again = ResubmitRequest(documents=(paper("x", DocumentKind.LETTER),), replaces=("surat",))
    assert refused(INTAKE, state, again).code == "document_unknown"
    assert queries.document(state, "surat") is None
    assert queries.document(state, "surat-baru")


def test_a_return_of_the_second_round_opens_a_third():
    state = given(INTAKE, submitted, returned, resubmitted, returned_for(ChecklistItem.DOCUMENTS, round=2))
    [fact] = decided(state, ResubmitRequest(documents=(NEW_DATASET,)))
    assert isinstance(fact, i.RequestResubmitted)
    assert fact.round == 3


# withdrawal, answer, objection, confirmation


def test_a_request_is_withdrawn_for_a_reason():
    assert decided(given(INTAKE, submitted), WithdrawRequest(" Sudah tidak diperlukan. ")) == [withdrawn]
    assert refused(INTAKE, given(INTAKE, submitted), WithdrawRequest("  ")).code == "reason_missing"


def test_an_answer_belongs_to_its_question():
    assert decided(given(INTAKE, *ON_HOLD), AnswerQuestion("10.0.0.1")) == [answered]
    assert refused(INTAKE, given(INTAKE, *ON_HOLD), AnswerQuestion("")).code == "text_missing"
    second = paused.model_copy(update={"pause": 2})
    again = given(INTAKE, *ON_HOLD, answered, resumed, second)
    assert decided(again, AnswerQuestion("10.0.0.2")) == [i.ApplicantAnswered(pause=2, text="10.0.0.2")]


def test_a_question_is_answered_once():
    refusal = refused(INTAKE, given(INTAKE, *ON_HOLD, answered), AnswerQuestion("10.0.0.1"))
    assert (refusal.facts["status"], refusal.facts["event"]) == (Status.IN_PROGRESS, "ApplicantAnswered")


def test_who_comes_too_late_learns_who_was_first():
    refusal = refused(INTAKE, given(INTAKE, submitted, rejected), WithdrawRequest("Batal."))
    at = NOON + timedelta(minutes=1)
    assert refusal.facts == {"status": Status.REJECTED, "by": "Hasan Umpama", "at": at, "event": "RequestRejected"}


def test_a_handover_is_confirmed_and_opens_the_survey_for_14_days():
    assert decided(given(INTAKE, *DELIVERED), ConfirmHandover()) == [confirmed]


def test_an_objection_needs_a_reason_and_reopens_the_work():
    state = given(INTAKE, *DELIVERED)
    assert decided(state, ContestHandover("Hasil uji belum ada.")) == [contested]
    assert refused(INTAKE, state, ContestHandover("\n")).code == "reason_missing"
    assert given(INTAKE, *DELIVERED, contested).status is Status.IN_PROGRESS


def test_the_second_delivery_is_confirmed_as_the_second():
    second = completed.model_copy(update={"delivery": 2, "documents": (RECORD,)})
    state = given(INTAKE, *DELIVERED, contested, second)
    assert decided(state, ConfirmHandover()) == [confirmed.model_copy(update={"delivery": 2})]
    assert [document.id for document in queries.documents(state)] == ["surat", "kamus-data", "alur", "bast"]


# silence

LAST_DAY_OVER = datetime(2026, 12, 7, 15, 0, tzinfo=UTC)
CONFIRMATION_OVER = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


def test_a_returned_request_expires_when_the_last_day_is_over_in_halmahera():
    state = given(INTAKE, submitted, returned)
    assert INTAKE.due_at(state) == LAST_DAY_OVER
    assert INTAKE.on_due(state) == [ExpireRequest()]
    assert decided(state, ExpireRequest(), LAST_DAY_OVER) == [expired]
    assert refused(INTAKE, state, ExpireRequest(), LAST_DAY_OVER - timedelta(microseconds=1)).code == "not_due"


def test_what_is_late_but_not_yet_expired_is_still_taken():
    assert decided(given(INTAKE, submitted, returned), ResubmitRequest(documents=(NEW_LETTER,)), LAST_DAY_OVER)


def test_a_delivery_is_confirmed_by_silence_when_the_last_day_is_over():
    state = given(INTAKE, *DELIVERED)
    assert INTAKE.due_at(state) == CONFIRMATION_OVER
    assert INTAKE.on_due(state) == [ConfirmBySilence()]
    by_silence = i.HandoverConfirmed(delivery=1, automatic=True, survey_until=date(2026, 12, 15))
    assert decided(state, ConfirmBySilence(), CONFIRMATION_OVER) == [by_silence]
    assert refused(INTAKE, state, ConfirmBySilence(), NOON).code == "not_due"


@pytest.mark.parametrize("status", frozenset(Status) - {Status.RETURNED, Status.DELIVERED})
def test_silence_decides_nothing_else(status: Status):
    assert INTAKE.due_at(given(INTAKE, *PATHS[status])) is None


# survey


def test_nine_answers_are_given_once_while_the_survey_is_open():
    state = given(INTAKE, *COMPLETED)
    assert decided(state, AnswerSurvey(surveyed.answers)) == [surveyed]
    assert (
        refused(INTAKE, given(INTAKE, *COMPLETED, surveyed), AnswerSurvey(surveyed.answers)).code == "survey_answered"
    )


def test_the_survey_closes_after_its_last_day():
    state = given(INTAKE, *COMPLETED)
    over = datetime(2026, 12, 7, 15, 0, tzinfo=UTC)
    assert decided(state, AnswerSurvey(surveyed.answers), over - timedelta(seconds=1))
    assert refused(INTAKE, state, AnswerSurvey(surveyed.answers), over).code == "survey_closed"


@pytest.mark.parametrize("answers", [(), (3,) * 8, (3,) * 10, (0, *(3,) * 8), (5, *(3,) * 8)])
def test_answers_are_nine_from_1_to_4(answers: tuple[int, ...]):
    assert refused(INTAKE, given(INTAKE, *COMPLETED), AnswerSurvey(answers)).code == "answers_unfit"


# events that cross


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
def test_events_that_cross_end_alike_in_any_order(before: tuple[Fact, ...], lines: list[tuple[Fact, ...]], end: Status):
    events = story(*before, *(fact for line in lines for fact in line))
    rest = iter(events[len(before) :])
    crossing = [[next(rest) for _ in line] for line in lines]
    states = [fold(INTAKE, [*events[: len(before)], *order]) for order in crossings(*crossing)]
    assert states[0].status is end
    assert all(state == states[0] for state in states)


def test_what_intake_does_not_hear_of_verification_leaves_no_trace():
    assert given(INTAKE, submitted, recommended) == given(INTAKE, submitted)


# what the applicant sees


def test_the_state_survives_its_storage():
    adapter = TypeAdapter(State)
    for path in PATHS.values():
        state = given(INTAKE, *path)
        assert adapter.validate_json(adapter.dump_json(state)) == state


def test_a_returned_request_shows_what_is_open_and_until_when():
    seen = queries.tracked(given(INTAKE, submitted, returned), NOON.date())
    assert (seen["status"], seen["status_label"], seen["round"]) == ("returned", "Perlu Dilengkapi", 1)
    assert seen["open_items"] == [
        {"item": "letter", "label": "Surat permohonan perlu diperbaiki", "note": "letter: mohon dilengkapi."}
    ]
    assert seen["deadlines"] == {"respond_by": date(2026, 12, 7)}
    assert seen["employee_number"] == "198502** ****** * ***"
    assert seen["warnings"][0]["code"] == "birth_date"


def test_open_items_close_with_the_resubmission():
    assert queries.open_items(given(INTAKE, submitted, returned, resubmitted)) == []


def test_the_timeline_says_who_did_what_in_which_role():
    state = given(INTAKE, *IN_PROGRESS, completed, confirmed.model_copy(update={"automatic": True}))
    lines = [(line["label"], line["by"]) for line in queries.tracked(state, NOON.date())["timeline"]]
    assert lines == [
        ("Permohonan diajukan", "Pemohon"),
        ("Dinyatakan lengkap", "Nurlaila Ibarat, Petugas Layanan TI"),
        ("Penanggung jawab teknis ditunjuk", "Hasan Umpama, Penanggung Jawab Struktural"),
        ("Pekerjaan dimulai", "Dewi Andaian, Penanggung Jawab Teknis"),
        ("Dokumen hasil diserahkan", "Dewi Andaian, Penanggung Jawab Teknis"),
        ("Serah terima dikonfirmasi", "Sistem"),
    ]


def test_a_note_to_the_lead_is_not_shown_to_the_applicant():
    assert "didahulukan" not in str(queries.tracked(given(INTAKE, *ASSIGNED), NOON.date()))


def test_a_question_is_shown_until_it_is_answered():
    seen = queries.tracked(given(INTAKE, *ON_HOLD), NOON.date())
    assert (seen["question"], seen["deadlines"]) == ("Alamat server uji?", {"answer_by": date(2026, 11, 30)})
    assert queries.tracked(given(INTAKE, *ON_HOLD, answered), NOON.date())["question"] is None


def test_work_is_overdue_after_its_target_and_not_while_the_clock_stands():
    after = date(2026, 12, 15)
    assert not queries.overdue(given(INTAKE, *IN_PROGRESS), date(2026, 12, 14))
    assert queries.overdue(given(INTAKE, *IN_PROGRESS), after)
    assert not queries.overdue(given(INTAKE, *ON_HOLD), after)
    assert queries.overdue(given(INTAKE, *ON_HOLD, start=datetime(2026, 12, 15, 1, tzinfo=UTC)), after)
    assert not queries.overdue(given(INTAKE, *ON_HOLD, answered, resumed), after)
    assert not queries.overdue(given(INTAKE, *DELIVERED), after)


def test_results_and_their_record_can_be_opened_but_not_where_they_are_stored():
    seen = queries.tracked(given(INTAKE, *DELIVERED), NOON.date())
    assert [document["kind"] for document in seen["documents"]][-2:] == ["result", "handover_record"]
    assert seen["record_number"] == "BAST/1/2026"
    assert "2026/laporan" not in str(seen)


def test_the_survey_is_offered_until_it_is_answered_or_over():
    assert queries.survey_open(given(INTAKE, *COMPLETED), date(2026, 12, 7))
    assert not queries.survey_open(given(INTAKE, *COMPLETED), date(2026, 12, 8))
    assert not queries.survey_open(given(INTAKE, *COMPLETED, surveyed), date(2026, 12, 7))
