"""How a command that failed ends: with one sentence for people."""

from __future__ import annotations

from shared.documents.port import StoreUnavailable as DocumentsUnavailable
from shared.eventlog.port import LogUnavailable
from shared.settings import InvalidSettings
from shared.storage.port import StoreUnavailable

_PORT_LABELS = {
    StoreUnavailable: "The database",
    LogUnavailable: "The event log",
    DocumentsUnavailable: "The document store",
}


class Failed(Exception):
    """The command failed for the reason in the text; exit status 1."""


class OutputClosed(Exception):
    """The reader of the output has gone, as behind `| head`; the command ends silently."""


def error_message(error: Exception) -> str:
    """The sentence for this error."""
    if isinstance(error, (Failed, InvalidSettings)):
        return str(error)
    if isinstance(error, (StoreUnavailable, LogUnavailable, DocumentsUnavailable)):
        return f"{_PORT_LABELS[type(error)]} cannot be used: {error}."
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}." if error.filename else f"{reason}."
    description = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"This should not have happened: {description}. With SIMPUL_LOG_LEVEL=debug it says where."
