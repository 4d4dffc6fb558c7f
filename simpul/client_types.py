"""Types of request and response bodies of the HTTP API."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

StaffService = Literal["verification", "assignment"]
Scope = Literal["application", "data"]
Complexity = Literal["low", "medium", "high"]


class Upload(NamedTuple):
    """A file to send."""

    name: str
    content: bytes
    media_type: str


class Verdict(TypedDict):
    item: str
    ok: bool
    note: NotRequired[str]


class CommandResult(TypedDict):
    """The response to every command."""

    id: str
    number: str
    status: str
    version: int


class SubmissionResult(CommandResult):
    tracking_token: str
    warnings: list[Any]


class Page(TypedDict):
    """A page of a list; `next` is the `after` of the following page, `previous` the `before` of the previous one."""

    items: list[dict[str, Any]]
    next: str | None
    previous: NotRequired[str | None]


class RequestForm(TypedDict, total=False):
    """The fields of the form; all but the phone are required in the first submission."""

    name: str
    employee_number: str
    unit: str
    position: str
    description: str
    scope: Scope
    email: str
    phone: str
    letter_number: str
    letter_date: str
