"""How a command ends that could not do what it was asked: one sentence for people, whatever went wrong."""

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
    """The command could not do it; the text says why. Exit status 1."""


class OutputClosed(Exception):
    """Nobody reads what the command prints any more, as behind `| head`. It stops without a word."""


def error_message(error: Exception) -> str:
    """What to tell a person of this error."""
    if isinstance(error, (Failed, InvalidSettings)):
        return str(error)
    if isinstance(error, (StoreUnavailable, LogUnavailable, DocumentsUnavailable)):
        return f"{_PORT_LABELS[type(error)]} cannot be used: {error}."
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}." if error.filename else f"{reason}."
    description = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"This should not have happened: {description}. With SIMPUL_LOG_LEVEL=debug it says where."
