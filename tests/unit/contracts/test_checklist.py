"""The items by which a request is checked, and the wording of verdicts on it."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.checklist import INITIAL_CHECKLIST, CheckItem, Checklists, ChecklistVersion
from shared.contracts.facts import ChecklistItem, Scope
from tests.support.domain.given_when_then import NOON

LETTER = INITIAL_CHECKLIST[1]
REWORDED = CheckItem("letter", "Surat ditandatangani dan bernomor", ChecklistItem.LETTER)
OWNER = CheckItem("c1", "Pemilik data menyetujui", ChecklistItem.LETTER)
LISTS = Checklists(
    {
        Scope.DATA: (
            ChecklistVersion(NOON, (LETTER, OWNER)),
            ChecklistVersion(NOON + timedelta(hours=2), (REWORDED,)),
        )
    }
)
BEFORE, BETWEEN, LATER = NOON - timedelta(seconds=1), NOON + timedelta(hours=1), NOON + timedelta(hours=2)


def test_a_request_is_checked_by_the_items_in_force_at_its_submission():
    assert LISTS.at(Scope.DATA, BEFORE) == INITIAL_CHECKLIST
    assert LISTS.at(Scope.DATA, BETWEEN) == (LETTER, OWNER)
    assert LISTS.at(Scope.DATA, LATER) == LISTS.current(Scope.DATA) == (REWORDED,)
    assert LISTS.at(Scope.APPLICATION, LATER) == LISTS.current(Scope.APPLICATION) == INITIAL_CHECKLIST


def test_a_verdict_reads_as_at_the_submission_also_in_another_scope():
    assert OWNER.verdict(ok=True).check == "c1"
    assert LETTER.verdict(ok=True).check == ""
    for scope, at, item, label in (
        (Scope.DATA, BETWEEN, LETTER, LETTER.label),
        (Scope.DATA, LATER, LETTER, REWORDED.label),
        (Scope.DATA, BETWEEN, OWNER, OWNER.label),
        (Scope.APPLICATION, BETWEEN, OWNER, OWNER.label),
        (Scope.DATA, LATER, OWNER, OWNER.label),
    ):
        assert LISTS.label_at(item.verdict(ok=True), scope, at) == label, (scope, at, item)
    # Without the list of the office, as in a copy without it, what the item concerns still reads.
    assert Checklists().label_at(OWNER.verdict(ok=True), Scope.DATA, LATER) == LETTER.label


def test_every_item_has_its_latest_wording_first_that_of_the_chosen_scope():
    labels = LISTS.labels()
    assert list(labels) == ["form", "letter", "scope", "documents", "c1"]
    assert (labels["letter"], labels["c1"]) == (LETTER.label, OWNER.label)
    assert LISTS.labels(Scope.DATA)["letter"] == REWORDED.label
    assert LISTS.ids_in_use(Scope.DATA) == ["letter"]
    assert LISTS.ids_in_use() == ["form", "letter", "scope", "documents"]
