"""Completion of a returned request: every failed item is addressed, and the result is a valid form."""

from __future__ import annotations

from datetime import date

import pytest

from services.intake.domain.commands import ResubmitRequest
from shared.contracts import intake as i
from shared.contracts.facts import ChecklistItem, DocumentKind, Scope
from shared.contracts.request_state import find_document
from tests.support.domain.given_when_then import given, refusal_of
from tests.support.domain.request_events import (
    APPLICANT,
    INTAKE,
    NEW_DATASET,
    NEW_LETTER,
    SUBMIT,
    decide_facts,
    document_ref,
    resubmitted,
    returned,
    returned_for,
    submitted,
)


def test_a_new_letter_replaces_the_old_one():
    state = given(INTAKE, submitted, returned)
    assert decide_facts(state, ResubmitRequest(documents=(NEW_LETTER,))) == [resubmitted]
    assert decide_facts(state, ResubmitRequest(documents=(NEW_LETTER,), replaces=("surat",))) == [resubmitted]


def test_only_given_fields_change():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.FORM))
    [fact] = decide_facts(state, ResubmitRequest(position="Analis Transportasi", phone="0811"))
    assert fact == resubmitted.model_copy(
        update={
            "applicant": APPLICANT.model_copy(update={"position": "Analis Transportasi", "phone": "0811"}),
            "documents": SUBMIT.documents,
            "replaced": (),
        }
    )


def test_a_corrected_number_brings_its_own_warnings():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.FORM))
    [fact] = decide_facts(state, ResubmitRequest(employee_number="198502142010011001", warnings=()))
    assert isinstance(fact, i.RequestResubmitted)
    assert (fact.applicant.employee_number, fact.warnings) == ("198502142010011001", ())


ADDRESSED: list[tuple[ChecklistItem, ResubmitRequest]] = [
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
NOT_ADDRESSED: list[tuple[ChecklistItem, ResubmitRequest]] = [
    *((item, ResubmitRequest()) for item in ChecklistItem),
    (ChecklistItem.FORM, ResubmitRequest(documents=(NEW_DATASET,))),
    (ChecklistItem.FORM, ResubmitRequest(name=APPLICANT.name)),
    (ChecklistItem.LETTER, ResubmitRequest(letter_number=SUBMIT.letter.number)),
    (ChecklistItem.LETTER, ResubmitRequest(documents=(NEW_DATASET,))),
    (ChecklistItem.SCOPE, ResubmitRequest(scope=SUBMIT.scope, phone="0811")),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(documents=(NEW_LETTER,))),
    (ChecklistItem.DOCUMENTS, ResubmitRequest(replaces=("alur",))),
]


@pytest.mark.parametrize(("item", "command"), ADDRESSED)
def test_a_failed_item_is_addressed_by_a_related_change(item: ChecklistItem, command: ResubmitRequest):
    [fact] = decide_facts(given(INTAKE, submitted, returned_for(item)), command)
    assert isinstance(fact, i.RequestResubmitted)
    assert fact.round == 2


@pytest.mark.parametrize(("item", "command"), NOT_ADDRESSED)
def test_an_unaddressed_item_is_named(item: ChecklistItem, command: ResubmitRequest):
    refusal = refusal_of(INTAKE, given(INTAKE, submitted, returned_for(item)), command)
    assert (refusal.code, refusal.params) == ("item_untouched", {"items": (item,)})


def test_every_failed_item_must_be_addressed():
    state = given(INTAKE, submitted, returned_for(ChecklistItem.LETTER, ChecklistItem.DOCUMENTS))
    refusal = refusal_of(INTAKE, state, ResubmitRequest(documents=(NEW_LETTER,)))
    assert refusal.params == {"items": (ChecklistItem.DOCUMENTS,)}
    [fact] = decide_facts(state, ResubmitRequest(documents=(NEW_LETTER, NEW_DATASET), replaces=("kamus-data", "alur")))
    assert isinstance(fact, i.RequestResubmitted)
    assert [(document.id, document.round) for document in fact.documents] == [("surat-baru", 2), ("kamus-data-baru", 2)]
    assert fact.replaced == ("surat", "kamus-data", "alur")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ResubmitRequest(documents=(NEW_LETTER,), replaces=("entah",)), "document_unknown"),
        (ResubmitRequest(letter_number="2", replaces=("surat",)), "letter_missing"),
        (ResubmitRequest(documents=(NEW_LETTER, document_ref("x", DocumentKind.LETTER))), "letters_many"),
        (ResubmitRequest(documents=(NEW_LETTER,), replaces=("kamus-data", "alur")), "requirements_missing"),
        (
            ResubmitRequest(
                documents=(NEW_LETTER, *(document_ref(f"p{n}", DocumentKind.REQUIREMENT) for n in range(9)))
            ),
            "requirements_many",
        ),
        (ResubmitRequest(documents=(NEW_LETTER,), letter_date=date(2026, 11, 24)), "letter_in_future"),
    ],
)
def test_a_resubmission_must_leave_a_valid_form(command: ResubmitRequest, code: str):
    assert refusal_of(INTAKE, given(INTAKE, submitted, returned), command).code == code


def test_a_replaced_document_can_neither_be_replaced_again_nor_opened():
    state = given(INTAKE, submitted, returned, resubmitted, returned_for(ChecklistItem.LETTER, round_number=2))
    again = ResubmitRequest(documents=(document_ref("x", DocumentKind.LETTER),), replaces=("surat",))
    assert refusal_of(INTAKE, state, again).code == "document_unknown"
    assert find_document(state, "surat") is None
    assert find_document(state, "surat-baru")


def test_a_second_return_opens_a_third_round():
    state = given(INTAKE, submitted, returned, resubmitted, returned_for(ChecklistItem.DOCUMENTS, round_number=2))
    [fact] = decide_facts(state, ResubmitRequest(documents=(NEW_DATASET,)))
    assert isinstance(fact, i.RequestResubmitted)
    assert fact.round == 3
