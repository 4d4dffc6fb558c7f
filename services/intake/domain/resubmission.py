"""Completing a returned request: what changes, what falls away, and whether every failed item was attended to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from services.intake.domain.form import Form
from shared.contracts.facts import ChecklistItem, DocumentKind, DocumentRef, Scope
from shared.runtime.decider import Refusal


@dataclass(frozen=True, slots=True)
class ResubmitRequest:
    """Only what changes: None leaves a field as it was. `documents` come in addition, or instead of those in `replaces`.

    A new letter takes the place of the old one by itself. `warnings` are those of the new Nomor Pegawai.
    """

    name: str | None = None
    employee_number: str | None = None
    unit: str | None = None
    position: str | None = None
    email: str | None = None
    phone: str | None = None
    description: str | None = None
    scope: Scope | None = None
    letter_number: str | None = None
    letter_date: date | None = None
    documents: tuple[DocumentRef, ...] = ()
    replaces: tuple[str, ...] = ()
    warnings: tuple[str, ...] | None = None


def apply_changes(form: Form, command: ResubmitRequest, failed: Iterable[ChecklistItem], number: int) -> Form:
    """The form of this round.

    Raises Refusal: document_unknown (documents), item_untouched (items).
    """
    known = {document.id for document in form.documents}
    if unknown := tuple(document for document in command.replaces if document not in known):
        raise Refusal("document_unknown", documents=unknown)
    after = replace(_apply_field_changes(form, command), documents=_apply_document_changes(form, command, number))
    if untouched := tuple(item for item in failed if not IS_ADDRESSED[item](form, after)):
        raise Refusal("item_untouched", items=untouched)
    return after


def _apply_field_changes(form: Form, command: ResubmitRequest) -> Form:
    applicant = {name: getattr(command, name) for name in type(form.applicant).model_fields}
    letter = {"number": command.letter_number, "date": command.letter_date}
    return replace(
        form,
        applicant=form.applicant.model_copy(update=_without_none(applicant)),
        letter=form.letter.model_copy(update=_without_none(letter)),
        description=form.description if command.description is None else command.description,
        scope=command.scope or form.scope,
        warnings=form.warnings if command.warnings is None else command.warnings,
    )


def _without_none(changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in changes.items() if value is not None}


def _apply_document_changes(form: Form, command: ResubmitRequest, number: int) -> tuple[DocumentRef, ...]:
    new = tuple(document.model_copy(update={"round": number}) for document in command.documents)
    removed = set(command.replaces)
    if any(document.kind is DocumentKind.LETTER for document in new):
        removed |= {document.id for document in form.of_kind(DocumentKind.LETTER)}
    return (*(document for document in form.documents if document.id not in removed), *new)


def removed_document_ids(before: Form, after: Form) -> tuple[str, ...]:
    """The ids of the documents that no longer count."""
    remaining = {document.id for document in after.documents}
    return tuple(document.id for document in before.documents if document.id not in remaining)


def _form_changed(before: Form, after: Form) -> bool:
    return _without_documents(before) != _without_documents(after)


def _without_documents(form: Form) -> Form:
    return replace(form, documents=(), warnings=())


def _letter_changed(before: Form, after: Form) -> bool:
    return before.letter != after.letter or _has_new_document(before, after, DocumentKind.LETTER)


def _scope_changed(before: Form, after: Form) -> bool:
    return (before.scope, before.description) != (after.scope, after.description) or _letter_changed(before, after)


def _requirements_changed(before: Form, after: Form) -> bool:
    return _has_new_document(before, after, DocumentKind.REQUIREMENT)


def _has_new_document(before: Form, after: Form, kind: DocumentKind) -> bool:
    return bool(set(after.of_kind(kind)) - set(before.of_kind(kind)))


IS_ADDRESSED: Mapping[ChecklistItem, Callable[[Form, Form], bool]] = {
    ChecklistItem.FORM: _form_changed,
    ChecklistItem.LETTER: _letter_changed,
    ChecklistItem.SCOPE: _scope_changed,
    ChecklistItem.DOCUMENTS: _requirements_changed,
}
"""Whether something was changed that a failed item can be about."""
