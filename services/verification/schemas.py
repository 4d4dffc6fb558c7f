"""Requests and responses of the API for officers; the pages share the request bodies and queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from shared.contracts.checklist import CheckItem
from shared.contracts.facts import Verdict
from shared.contracts.lifecycle import Status
from shared.runtime.request_columns import SORT_COLUMNS, RequestFilters
from shared.web.api.bulk import BulkBody
from shared.web.api.commands import CommandResponse, Text
from shared.web.api.problems import validation_problem
from shared.web.api.request_lists import RequestListQuery, page_values
from shared.web.api.serializers import (
    ChecklistItemResponse,
    DocumentResponse,
    RequestDetailsResponse,
    RequestSummaryResponse,
)
from shared.web.api.validation import FieldError, RequestBody
from shared.web.forms.text_fields import CLEAN_PARAGRAPHS, STRIP_INVISIBLE
from shared.web.views.labels import WARNING_MESSAGES
from shared.web.views.words import load_words

_texts = load_words("services.verification")

OPEN_LIST, ALL_LIST, ADVISED_LIST = "open", "all", "advised"
"""Lists of the queue page besides those of one status."""

QUEUE_SORTS: Mapping[str, str] = {**SORT_COLUMNS, "received_at": "received_at", "claimed_by": "claimed_by"}

Note = Annotated[str, Field(max_length=500), CLEAN_PARAGRAPHS]


class QueueFilter(RequestListQuery):
    """Filters of the queue; `claimed_by` is the username of an officer."""

    sorts: ClassVar[Mapping[str, str]] = QUEUE_SORTS

    claimed_by: str = Field("", max_length=100)

    def filters(self, today: date) -> RequestFilters:
        return {**super().filters(today), "claimed_by": self.claimed_by}

    @property
    def active_filters(self) -> dict[str, str]:
        return super().active_filters | ({"claimed_by": self.claimed_by} if self.claimed_by else {})


class QueueQuery(QueueFilter):
    """`advised` selects requests whose rejection is recommended, or the others; `total` asks for the number of all requests."""

    advised: bool | None = None
    total: bool = False

    def filters(self, today: date) -> RequestFilters:
        given = super().filters(today)
        return given if self.advised is None else {**given, "advised": self.advised}


class QueuePageQuery(QueueFilter):
    """Query of the queue page: `status` is a status, `open`, `all` or `advised`; `selesai` is the request that was just decided."""

    status: str = Status.SUBMITTED.value  # type: ignore[assignment]  # a tab of the page, not only a status
    done: str = Field("", alias="selesai", max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _drop_blank_values(cls, given: Any) -> Any:
        return page_values(given)

    @field_validator("status")
    @classmethod
    def _validate_status(cls, value: str) -> str:
        if value not in (OPEN_LIST, ALL_LIST, ADVISED_LIST, *Status):
            raise ValueError(_texts.queue.no_list)
        return value


class Finding(RequestBody):
    """The verdict on one item; a failed item has a note on what is missing."""

    item: Annotated[str, Field(min_length=1, max_length=40), STRIP_INVISIBLE]
    ok: bool = Field(strict=True)
    note: Note = ""


Findings = Annotated[
    tuple[Finding, ...],
    Field(
        max_length=20,
        description="One finding for each item of the request's checklist",
        json_schema_extra={"minItems": 1},
    ),
]
WarningCode = Annotated[str, Field(json_schema_extra={"enum": list(WARNING_MESSAGES)})]


class VerificationBody(RequestBody):
    """Declares a request complete; `acknowledged_warnings` are the codes of its warnings.

    If its rejection is recommended, `withdraw_recommendation` must say that this no longer holds.
    """

    checklist: Findings
    acknowledged_warnings: Annotated[tuple[WarningCode, ...], Field(max_length=20)] = ()
    withdraw_recommendation: bool = Field(False, strict=True)


class ReturnBody(RequestBody):
    checklist: Findings


class RecommendationBody(RequestBody):
    reason: Text


class ClaimBody(RequestBody):
    """`officer` is the username of the active officer who is to check the request, also instead of a colleague.

    Without it the caller claims the request, which is refused if a colleague has.
    """

    officer: Annotated[str, Field(min_length=1, max_length=100), STRIP_INVISIBLE] | None = None


class BulkClaim(ClaimBody, BulkBody):
    """Claims several requests, or assigns them to a colleague."""

    action: Literal["claim"] = "claim"


class ClaimResponse(CommandResponse):
    """The state of the request, and who checks it now."""

    claimed_by: str | None
    claimed_by_name: str | None


def to_verdicts(findings: Findings, checklist: tuple[CheckItem, ...]) -> tuple[Verdict, ...]:
    """Return the verdicts on the items of a checklist. Raises Problem 422 for an item that is not in it."""
    items = {item.id: item for item in checklist}
    message = _texts.no_item.format(items=", ".join(items))
    unknown = [number for number, finding in enumerate(findings) if finding.item not in items]
    if unknown:
        raise validation_problem([FieldError(f"checklist.{number}.item", message) for number in unknown])
    return tuple(items[finding.item].verdict(finding.ok, finding.note) for finding in findings)


class VerdictResponse(ChecklistItemResponse):
    """An officer's finding; `label` is the wording of the item at that time."""

    ok: bool
    note: str


class QueueItemResponse(RequestSummaryResponse):
    """A request in the queue; `received_at` is when the current round began, `advised` that its rejection is recommended.

    `open_by` has the names of others whose page shows it now.
    """

    received_at: datetime | None
    advised: bool
    open_by: list[str]


class VerificationRequestResponse(RequestDetailsResponse):
    """A request with the checklist and the verdicts of the last decided round."""

    received_at: datetime | None
    advised: bool
    open_by: list[str]
    checklist: list[ChecklistItemResponse]
    verdicts: list[VerdictResponse]
    replaced_documents: list[DocumentResponse]
