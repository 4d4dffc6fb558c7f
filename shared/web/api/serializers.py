"""The shapes that the calls of several services share: documents, timeline and warnings as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.contracts.history import HistoryEntry
from shared.web.views.labels import EVENT_LABELS, WARNING_MESSAGES, actor_label


def documents(stored: Iterable[DocumentRef]) -> list[dict[str, Any]]:
    """`{id, kind, name, size, media_type, sha256, round}` of each; where it is stored is nobody's business."""
    return [document.model_dump(mode="json", exclude={"key"}) for document in stored]


def timeline(history: Iterable[HistoryEntry], *, by_silence: bool = False) -> list[dict[str, Any]]:
    """`{time, event, label, by, note}` of each event, oldest first; `by_silence`: nobody confirmed but the days went by."""
    return [
        {
            "time": entry.time,
            "event": entry.event,
            "label": EVENT_LABELS.get(entry.event, entry.event),
            "by": actor_label(entry.event, entry.by, automatic=by_silence and entry.event == "HandoverConfirmed"),
            "note": entry.note,
        }
        for entry in history
    ]


def warnings(codes: Iterable[str]) -> list[dict[str, str]]:
    """`{code, message}` of each; a code that is no longer known speaks for itself."""
    return [{"code": code, "message": WARNING_MESSAGES.get(code, code)} for code in codes]


def form(applicant: Applicant | None, letter: Letter | None, description: str) -> dict[str, Any]:
    """What was filled in, beside name, unit and scope; the employee number whole, as the API takes it."""
    return {
        "employee_number": applicant.employee_number if applicant else "",
        "position": applicant.position if applicant else "",
        "email": applicant.email if applicant else "",
        "phone": applicant.phone if applicant else "",
        "description": description,
        "letter_number": letter.number if letter else "",
        "letter_date": letter.date if letter else None,
    }
