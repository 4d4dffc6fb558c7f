"""The form of a request, and the rules that it must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.contracts.facts import Applicant, DocumentKind, DocumentRef, Letter, Scope
from shared.contracts.intake import FormFact
from shared.runtime.decider import Refusal

MAX_REQUIREMENTS = 10


@dataclass(frozen=True)
class Form:
    """The current content of a request; one document is the letter. `warnings` are codes about the Nomor Pegawai."""

    applicant: Applicant
    description: str
    scope: Scope
    letter: Letter
    documents: tuple[DocumentRef, ...]
    warnings: tuple[str, ...] = ()

    def of_kind(self, kind: DocumentKind) -> tuple[DocumentRef, ...]:
        return tuple(document for document in self.documents if document.kind is kind)


def form_of(fact: FormFact) -> Form:
    return Form(fact.applicant, fact.description, fact.scope, fact.letter, fact.documents, fact.warnings)


def validate_form(form: Form, day: date) -> Form:
    """Return the form if it may be submitted on that day.

    Raises:
        Refusal: letter_missing, letters_many, requirements_missing, requirements_many (count, most), document_misplaced
            (documents), letter_in_future (date, day).
    """
    _require_one_letter(form)
    _require_requirements(form)
    allowed_kinds = {DocumentKind.LETTER, DocumentKind.REQUIREMENT}
    if misplaced := tuple(document.id for document in form.documents if document.kind not in allowed_kinds):
        raise Refusal("document_misplaced", documents=misplaced)
    if form.letter.date > day:
        raise Refusal("letter_in_future", date=form.letter.date, day=day)
    return form


def _require_one_letter(form: Form) -> None:
    letters = len(form.of_kind(DocumentKind.LETTER))
    if letters != 1:
        raise Refusal("letters_many" if letters else "letter_missing")


def _require_requirements(form: Form) -> None:
    count = len(form.of_kind(DocumentKind.REQUIREMENT))
    if not count:
        raise Refusal("requirements_missing")
    if count > MAX_REQUIREMENTS:
        raise Refusal("requirements_many", count=count, most=MAX_REQUIREMENTS)
