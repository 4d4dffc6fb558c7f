"""Serializers and response models that several services share: documents, timeline, warnings and form fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.contracts.history import HistoryEntry
from shared.web.views.labels import EVENT_LABELS, WARNING_MESSAGES, actor_label


def documents(stored: Iterable[DocumentRef]) -> list[dict[str, Any]]:
    """`{id, kind, name, size, media_type, sha256, round}` of each document, without its storage key."""
    return [document.model_dump(mode="json", exclude={"key"}) for document in stored]


def timeline(history: Iterable[HistoryEntry], *, by_silence: bool = False) -> list[dict[str, Any]]:
    """`{time, event, label, by, note}` of each event, oldest first.

    `by_silence` says that the handover was confirmed automatically, because the period for objections passed.
    """
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
    """`{code, message}` of each warning; an unknown code is its own message."""
    return [{"code": code, "message": WARNING_MESSAGES.get(code, code)} for code in codes]


def form(applicant: Applicant | None, letter: Letter | None, description: str) -> dict[str, Any]:
    """The fields of the form besides name, unit and scope, with the whole employee number."""
    return {
        "employee_number": applicant.employee_number if applicant else "",
        "position": applicant.position if applicant else "",
        "email": applicant.email if applicant else "",
        "phone": applicant.phone if applicant else "",
        "description": description,
        "letter_number": letter.number if letter else "",
        "letter_date": letter.date if letter else None,
    }
