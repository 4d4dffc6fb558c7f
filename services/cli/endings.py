"""How a command ends that could not do what it was asked: one sentence for people, whatever went wrong."""

from __future__ import annotations

from shared.documents.port import StoreUnavailable as DocumentsUnavailable
from shared.eventlog.port import LogUnavailable
from shared.settings import BadSettings
from shared.storage.port import StoreUnavailable

_WHAT = {StoreUnavailable: "The database", LogUnavailable: "The event log", DocumentsUnavailable: "The document store"}


class Failed(Exception):
    """The command could not do it; the text says why. Exit status 1."""


class ReaderGone(Exception):
    """Nobody reads what the command prints any more, as behind `| head`. It stops without a word."""


def sentence_of(error: Exception) -> str:
    """What to tell a person of this error."""
    if isinstance(error, (Failed, BadSettings)):
        return str(error)
    if isinstance(error, (StoreUnavailable, LogUnavailable, DocumentsUnavailable)):
        return f"{_WHAT[type(error)]} cannot be used: {error}."
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return f"{error.filename}: {what}." if error.filename else f"{what}."
    named = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"This should not have happened: {named}. With SIMPUL_LOG_LEVEL=debug it says where."
