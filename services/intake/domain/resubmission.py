"""Changes to the form of a request: apply them, and check that every failed item was addressed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from services.intake.domain.commands import FormChanges
from services.intake.domain.form import Form
from shared.contracts.facts import ChecklistItem, DocumentKind, DocumentRef
from shared.runtime.decider import Refusal


def apply_changes(form: Form, command: FormChanges, failed: Iterable[ChecklistItem], round_number: int) -> Form:
    """Return the form after the changes; new documents belong to this round.

    Raises:
        Refusal: document_unknown (documents), item_untouched (items).
    """
    known = {document.id for document in form.documents}
    if unknown := tuple(document for document in command.replaces if document not in known):
        raise Refusal("document_unknown", documents=unknown)
    after = replace(_apply_field_changes(form, command), documents=_apply_document_changes(form, command, round_number))
    if untouched := tuple(item for item in failed if not IS_ADDRESSED[item](form, after)):
        raise Refusal("item_untouched", items=untouched)
    return after


def _apply_field_changes(form: Form, command: FormChanges) -> Form:
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


def _apply_document_changes(form: Form, command: FormChanges, round_number: int) -> tuple[DocumentRef, ...]:
    new = tuple(document.model_copy(update={"round": round_number}) for document in command.documents)
    removed = set(command.replaces)
    if any(document.kind is DocumentKind.LETTER for document in new):
        removed |= {document.id for document in form.of_kind(DocumentKind.LETTER)}
    return (*(document for document in form.documents if document.id not in removed), *new)


def removed_document_ids(before: Form, after: Form) -> tuple[str, ...]:
    """Return the ids of the documents that are no longer part of the form."""
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
"""Whether the changes address a failed item."""
