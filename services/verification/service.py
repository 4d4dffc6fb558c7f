"""The application service of verification: what officers read and decide, whether by page or by API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from services.verification.domain.commands import ClaimCommand, ClaimRequest
from services.verification.domain.decisions import checklist_of
from services.verification.domain.state import State
from services.verification.errors import DOCUMENT_NOT_FOUND, NO_OFFICER, REFUSAL_MESSAGES, REQUEST_NOT_FOUND
from services.verification.presenters import find_any_document, present_summary
from services.verification.projections import list_cursor, requests_query
from services.verification.schemas import BulkClaim
from shared.backends.platform import Platform
from shared.contracts.checklist import CheckItem, Checklists
from shared.contracts.facts import DocumentRef, Staff
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.runtime.conflict import conflict_refusal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import BoundedCount, RecordQuery
from shared.web.api import commands, serializers
from shared.web.api.bulk import BulkResult
from shared.web.api.idempotency import CommandContext
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.staff_requests import StaffRequestService
from shared.web.api.validation import FieldError
from shared.web.views.request_list import is_counted


@dataclass(frozen=True, slots=True)
class ListPosition:
    """The place of a request in a list, counted from 1 unless it is far on, and the ids of its neighbours, "" at either end."""

    place: int | None
    total: BoundedCount | None
    previous: str
    next: str


class VerificationService(StaffRequestService[State]):
    """Requests as officers see them."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform) -> None:
        super().__init__(
            runtime, platform, not_found=REQUEST_NOT_FOUND, refusals=REFUSAL_MESSAGES, present_item=present_summary
        )

    @property
    def checklists(self) -> Checklists:
        """The checklists with all their versions."""
        return self.platform.checklists()

    async def get_checklist(self, request_id: str) -> tuple[CheckItem, ...]:
        """Return the items by which a request is checked. Raises Problem 404."""
        return checklist_of((await self.get_cached_request(request_id)).state, self.checklists)

    async def get_document(self, request_id: str, document_id: str) -> DocumentRef:
        """Return a document of a request. Raises Problem 404."""
        document = find_any_document((await self.get_request(request_id)).state, document_id)
        if document is None:
            raise Problem(404, DOCUMENT_NOT_FOUND)
        return document

    async def count_submitted(self) -> BoundedCount:
        """Return how many requests await an officer."""
        return await self.executor.bounded_count(requests_query(status=Status.SUBMITTED, advised=False))

    async def officers(self) -> list[Staff]:
        """Return the active officers and those who act as one today, by name."""
        accounts = await self.platform.accounts.accounts_with_role(Role.OFFICER)
        officers = {account.username: Staff(username=account.username, name=account.name) for account in accounts}
        for account, capacity in await self.platform.substitutes.substitutes_with_role(Role.OFFICER):
            name, acting_for = capacity.name_of(account.name), capacity.username
            acting = Staff(username=account.username, name=name, acting_for=acting_for)
            officers.setdefault(account.username, acting)
        return sorted(officers.values(), key=lambda officer: officer.name)

    async def claim_command(self, by: Staff, username: str | None) -> ClaimRequest:
        """Return the command that makes this officer, or `by`, check a request. Raises Problem 422 for anybody else."""
        if username is None:
            return ClaimRequest(by, officer=by)
        officer = next((colleague for colleague in await self.officers() if colleague.username == username), None)
        if officer is None:
            raise validation_problem([FieldError("officer", NO_OFFICER)])
        return ClaimRequest(by, officer, replace=True)

    async def execute_claim(
        self, context: CommandContext, request_id: str, command: ClaimCommand, *content: BaseModel | str
    ) -> dict[str, Any]:
        """Execute a claim or its release; also return who checks the request now. Raises Problem."""
        result = await self.execute(context, request_id, command, *content)
        loaded = await self.executor.read_cached(request_id, result["version"])
        return {**result, **serializers.claim(loaded.state.active_claim if loaded else None)}

    async def list_position(self, loaded: Loaded[State], query: RecordQuery) -> ListPosition | None:
        """Return the place of a request in a list, None if it is not in it; lists that only grow are not counted."""
        whole = replace(query, after=None, before=None)
        key = list_cursor(loaded, whole, self.rules)
        previous = (await self.executor.find(replace(whole, before=key, limit=1))).items
        since = list_cursor(previous[0], whole, self.rules) if previous else None
        from_here = (await self.executor.find(replace(whole, after=since, limit=2))).items
        if not from_here or from_here[0].id != loaded.id:
            return None
        before = await self.executor.bounded_count(whole, key) if is_counted(whole) else None
        place = before.number + 1 if before is not None and before.is_exact else None
        return ListPosition(
            place,
            await self.executor.bounded_count(whole) if place else None,
            previous[0].id if previous else "",
            from_here[1].id if len(from_here) > 1 else "",
        )

    async def execute_bulk(self, context: CommandContext, body: BulkClaim, by: Staff) -> list[BulkResult]:
        """Claim several requests, and return each outcome. Raises Problem 422 for the officer."""
        command = await self.claim_command(by, body.officer)
        return await self.execute_each(context, body, command)

    def conflict_problem(self, loaded: Loaded[State]) -> Problem:
        """Return the 409 that a decision on this state would get."""
        return commands.conflict_problem(conflict_refusal(loaded.state.status, loaded.state.history), loaded.version)
