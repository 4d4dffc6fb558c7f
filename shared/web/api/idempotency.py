"""Idempotency: the id of a command is derived from the client's key, the caller, and the method and path of the call."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request

from shared.clock import NewId, random_id
from shared.contracts.facts import DocumentRef
from shared.observability.tracing import TRACEPARENT_HEADER, traceparent
from shared.runtime.executor import CommandKey
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError

IDEMPOTENCY_HEADER = "Idempotency-Key"
KEY_PATTERN = "[!-~]{1,200}"
_KEY_REGEX = re.compile(KEY_PATTERN)
_TRACEPARENT_REGEX = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_COMMAND_ID_NAMESPACE = uuid.UUID("6f1d2a52-7f0c-5c0b-9d57-0d5c7f6f6a31")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What identifies the commands of one call: its idempotency key, None if it has none, method, path and trace."""

    idempotency_key: str | None
    method: str
    path: str
    traceparent: str = ""

    def command_key(self, actor: str, digest: str, new_id: NewId = random_id) -> CommandKey:
        """The key of a command. `actor` is a username, a request's number, or "" for anonymous callers.

        Without an idempotency key every call is a new command.
        """
        if self.idempotency_key is None:
            return CommandKey(new_id(), digest, traceparent=self.traceparent)
        command = command_id(self.idempotency_key, actor, self.method, self.path)
        return CommandKey(command, digest, traceparent=self.traceparent)


def command_context(request: Request) -> CommandContext:
    """A dependency: the context of this call. Raises Problem 422 for a key that is not 1-200 visible ASCII characters."""
    return CommandContext(
        read_idempotency_key(request), request.method, request.url.path, traceparent=_traceparent(request)
    )


def form_command_context(request: Request, *content: str) -> CommandContext:
    """The context of a form whose content is part of its key, so that the same form with other content is another command."""
    form_key = request.state.form_key
    key = request_digest(form_key, *content) if form_key else read_idempotency_key(request)
    return CommandContext(key, request.method, request.url.path, traceparent=_traceparent(request))


def command_id(key: str, actor: str, method: str, path: str) -> str:
    """Derive the id of a command from the key, the caller, and the method and path of the call."""
    return str(uuid.uuid5(_COMMAND_ID_NAMESPACE, "\n".join((key, actor, method, path))))


def read_idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, or the key of a page's form; None without either.

    Call it before anything is stored. Raises: Problem 422 for an invalid key.
    """
    key = getattr(request.state, "form_key", None) or request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not _KEY_REGEX.fullmatch(key):
        message = "Tulis kunci dengan 1 sampai 200 huruf, angka, atau tanda ASCII tanpa spasi."
        raise validation_problem([FieldError(IDEMPOTENCY_HEADER, message)])
    return key


def request_digest(*parts: BaseModel | str) -> str:
    """A digest of the content of a request."""
    digest = hashlib.sha256()
    for part in parts:
        text = part if isinstance(part, str) else part.model_dump_json()
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()


def documents_digest(documents: Iterable[DocumentRef]) -> str:
    """A digest of the kind, name and content of documents, in order, independent of where they are stored."""
    return request_digest(*(f"{document.kind}\0{document.name}\0{document.sha256}" for document in documents))


def _traceparent(request: Request) -> str:
    return traceparent() or valid_traceparent(request.headers.get(TRACEPARENT_HEADER, ""))


def valid_traceparent(header: str) -> str:
    """The `traceparent` of the client, "" if it is not valid W3C trace context."""
    return header if _TRACEPARENT_REGEX.fullmatch(header) else ""
