"""Commands over HTTP: one response for all of them, and refusals as problems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from shared.contracts.checklist import CheckItem
from shared.contracts.lifecycle import Status
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, CommandResult, Executor
from shared.web.api.idempotency import CommandContext, request_digest
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.forms.text_fields import CLEAN_PARAGRAPHS
from shared.web.views.formats import format_date, format_datetime
from shared.web.views.labels import EVENT_LABELS, STATUS_LABELS, actor_label

State = TypeVar("State")

MAX_TEXT_LENGTH = 4000


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_LENGTH), CLEAN_PARAGRAPHS]
OptionalText = Annotated[str, Field(max_length=MAX_TEXT_LENGTH), CLEAN_PARAGRAPHS]

RefusalMessages = Mapping[str, tuple[int, str, str]]
"""Maps the code of a refusal to an HTTP status, the field it is about ("" for none) and a message."""


async def execute_command(
    context: CommandContext,
    executor: Executor[State],
    request_id: str,
    command: object,
    actor: str,
    messages: RefusalMessages,
    *parts: BaseModel | str,
) -> dict[str, Any]:
    """Execute a command for `actor` and return `{id, number, status, version}`; `parts` are the content of the request.

    Raises: Problem for a refusal; a conflict names the event that happened first.
    """
    key = command_key(context, request_id, actor, *parts)
    return command_result(await execute_with_key(executor, request_id, command, key, messages))


def command_key(context: CommandContext, request_id: str, actor: str, *parts: BaseModel | str) -> CommandKey:
    """Return the key of a command of `actor`; `parts` are the content of the request."""
    return context.command_key(f"{actor}\n{request_id}", request_digest(*parts))


async def execute_with_key(
    executor: Executor[State], request_id: str, command: object, key: CommandKey, messages: RefusalMessages
) -> CommandResult:
    """Execute a command with this key. Raises Problem for a refusal."""
    try:
        return await executor.execute(request_id, command, key)
    except Refusal as refusal:
        loaded = await executor.read_cached(request_id)
        raise refusal_problem(refusal, messages, loaded.version if loaded else 0) from refusal


class CommandResponse(BaseModel):
    """The state of the request after the command."""

    id: str
    number: str
    status: str
    version: int


def command_result(result: CommandResult) -> dict[str, Any]:
    return {"id": result.id, "number": result.number, "status": result.status, "version": result.version}


def refusal_problem(refusal: Refusal, messages: RefusalMessages, version: int) -> Problem:
    """Turn a refusal into a problem with a message for people."""
    if refusal.code == "moved_on":
        return conflict_problem(refusal, version)
    status, field, message = messages[refusal.code]
    detail = message.format(**{name: _format_fact(value) for name, value in refusal.params.items()})
    if status == 422:
        return validation_problem([FieldError(field, detail)])
    return Problem(status, detail, code=refusal.code)


def conflict_problem(refusal: Refusal, version: int) -> Problem:
    """409 that names the event that happened first, its actor and its time."""
    status, by, at, event = (refusal.params.get(name) for name in ("status", "by", "at", "event"))
    current = {"status": status, "version": version, "by": by or "", "event": event or "", "at": at}
    return Problem(409, conflict_message(refusal, "; tindakan Anda tidak disimpan"), code=refusal.code, current=current)


def conflict_message(refusal: Refusal, after: str = "") -> str:
    """The message of a conflict; `after` says what became of the attempted action, "" if there was none."""
    status, by, at, event = (refusal.params.get(name) for name in ("status", "by", "at", "event"))
    if not event or not isinstance(at, datetime):
        return "Permohonan ini belum sampai pada langkah tersebut."
    who = actor_label(str(event), str(by or ""))
    return (
        f"{EVENT_LABELS.get(str(event), str(event))} oleh {who} pada {format_datetime(at)}. "
        f"Permohonan sekarang berstatus {STATUS_LABELS[Status(str(status))]}{after}."
    )


def _format_fact(value: Any) -> str:
    if isinstance(value, tuple | list | set | frozenset):
        return "; ".join(_format_fact(item) for item in value)
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, CheckItem):
        return value.label
    return format_date(value) if isinstance(value, date) else str(getattr(value, "value", value))
