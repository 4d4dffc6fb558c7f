"""Requests as officers see them, as plain values for pages and API."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from services.verification.domain.decisions import checklist_of, is_advised
from services.verification.domain.state import State, previous_version
from shared.contracts.checklist import Checklists
from shared.contracts.facts import DocumentRef
from shared.contracts.request_state import find_document
from shared.contracts.stages import Stage, StageRules, stage_clock
from shared.runtime.executor import Loaded
from shared.web.api import serializers
from shared.web.documents.viewer import DocumentList


def present_summary(loaded: Loaded[State], day: date, rules: StageRules) -> dict[str, Any]:
    """Return an item of the queue.

    `target_date` is the internal target while the request awaits an officer, and that of the work once a lead is assigned.
    """
    state = loaded.state
    target = state.target_date
    clock = stage_clock(state, rules)
    if clock is not None and clock.stage is Stage.VERIFY:
        target = clock.due
    return {
        **serializers.summary(loaded, target, day, rules),
        "received_at": state.received_at,
        "advised": is_advised(state),
    }


def present_request(loaded: Loaded[State], day: date, rules: StageRules, checklists: Checklists) -> dict[str, Any]:
    """Return the request with all submitted fields, the checklist, and the last verdicts."""
    state = loaded.state
    return {
        **present_summary(loaded, day, rules),
        **serializers.details(state),
        "replaced_documents": serializers.documents(replaced_documents(state)),
        "checklist": [{"item": item.id, "label": item.label} for item in checklist_of(state, checklists)],
        "verdicts": _verdicts(state, checklists),
    }


def replaced_documents(state: State) -> tuple[DocumentRef, ...]:
    """Return the documents of earlier rounds that are no longer in the form."""
    return tuple(replaced.document for replaced in state.replaced)


def viewer_documents(state: State) -> DocumentList:
    """Return the documents in the order in which the viewer shows them."""
    versions = partial(previous_version, state)
    return DocumentList(state.all_documents, state.course.round, replaced_documents(state), versions)


def find_any_document(state: State, document_id: str) -> DocumentRef | None:
    """Return a document of the request, also one of an earlier round."""
    earlier = next((document for document in replaced_documents(state) if document.id == document_id), None)
    return find_document(state, document_id) or earlier


def _verdicts(state: State, checklists: Checklists) -> list[dict[str, Any]]:
    """Return the verdicts of the last decided round, which may be earlier than the current one."""
    return [
        {
            "item": verdict.id,
            "label": checklists.label_at(verdict, state.scope, state.submitted_at),
            "ok": verdict.ok,
            "note": verdict.note,
        }
        for verdict in (state.judgement.verdicts if state.judgement else ())
    ]
