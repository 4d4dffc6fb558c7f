"""The application service of assignment, which the API and the pages call."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from services.assignment.access import acting_for_lead, is_lead
from services.assignment.domain.commands import AssignLead, ChangeTarget, ReassignLead
from services.assignment.domain.state import State
from services.assignment.errors import LEAD_NOT_AVAILABLE, REFUSAL_MESSAGES, REQUEST_NOT_FOUND
from services.assignment.overdue_board import OverdueBoard
from services.assignment.presenters import present_summary, target_warnings
from services.assignment.projections import open_work_query, overdue_work_query
from services.assignment.schemas import BulkAssignment, BulkReassignment
from shared.backends.platform import Platform
from shared.contracts.facts import DocumentRef, Staff
from shared.contracts.request_state import find_document
from shared.contracts.stages import MovedDue, StageRules, moved_due
from shared.identity.accounts import Account, Role
from shared.identity.principal import Principal
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import RecordQuery
from shared.web.api import commands
from shared.web.api.bulk import BulkResult
from shared.web.api.idempotency import CommandContext
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.staff_requests import StaffRequestService
from shared.web.api.validation import FieldError
from shared.web.documents.previews import TEXTS

MAX_REQUESTS_READ = 200
"""Requests read at once where all open ones are compared."""


class AssignmentService(StaffRequestService[State]):
    """Requests as heads and leads see them."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform) -> None:
        super().__init__(
            runtime, platform, not_found=REQUEST_NOT_FOUND, refusals=REFUSAL_MESSAGES, present_item=present_summary
        )
        self.overdue = OverdueBoard(runtime.executor, platform.accounts, platform.clock, platform.rules)

    async def get_own_request(self, request_id: str, lead: Principal) -> Loaded[State]:
        """Return a request that this person leads, also for somebody else. Raises Problem 404."""
        loaded = await self.get_request(request_id)
        if not is_lead(loaded.state, lead):
            raise Problem(404, REQUEST_NOT_FOUND)
        return loaded

    async def acting_for_lead(self, request_id: str, lead: Principal) -> Principal:
        """Return the person in the capacity in which they lead this request. Raises Problem 404 if they do not."""
        return acting_for_lead((await self.get_own_request(request_id, lead)).state, lead)

    async def get_readable_request(self, request_id: str, reader: Principal) -> Loaded[State]:
        """Return a request: any for a structural head, an own one for technical staff. Raises Problem 404."""
        if reader.has_role(Role.STRUCTURAL):
            return await self.get_request(request_id)
        return await self.get_own_request(request_id, reader)

    async def get_document(self, request_id: str, document_id: str, reader: Principal) -> DocumentRef:
        """Return a document of a request that this person may read. Raises Problem 404."""
        document = find_document((await self.get_readable_request(request_id, reader)).state, document_id)
        if document is None:
            raise Problem(404, TEXTS.missing)
        return document

    async def get_lead_candidate(self, username: str) -> Staff:
        """Return an active member of the technical staff. Raises Problem 422."""
        account = await self.platform.accounts.account(username.lower())
        if account is None or not account.active or Role.TECHNICAL not in account.roles:
            raise validation_problem([FieldError("lead", LEAD_NOT_AVAILABLE)])
        return Staff(username=account.username, name=account.name)

    async def execute_with_target(
        self,
        context: CommandContext,
        request_id: str,
        command: AssignLead | ReassignLead | ChangeTarget,
        *content: BaseModel | str,
    ) -> dict[str, Any]:
        """Execute a command that may set a target; the result warns of one that is not a working day. Raises Problem."""
        result = await self.execute(context, request_id, command, *content)
        warnings = target_warnings(command.target_date, self.rules.calendar)
        return {**result, "warnings": warnings} if warnings else result

    async def execute_bulk(
        self, context: CommandContext, body: BulkAssignment | BulkReassignment, by: Staff
    ) -> list[BulkResult]:
        """Appoint or replace the lead of several requests, and return each outcome. Raises Problem 422 for the lead."""
        lead = await self.get_lead_candidate(body.lead)
        command: AssignLead | ReassignLead
        if isinstance(body, BulkAssignment):
            command = AssignLead(by, lead, body.complexity, body.target_date, body.note)
        else:
            command = ReassignLead(by, lead, body.reason, body.target_date)
        return await self.execute_each(context, body, command)

    async def refusal_problem(self, request_id: str, refusal: Refusal) -> Problem:
        """Return the response to a refusal, with the current version of the request."""
        loaded = await self.get_request(request_id)
        return commands.refusal_problem(refusal, REFUSAL_MESSAGES, loaded.version)

    async def workload(self, account: Account) -> dict[str, Any]:
        """Return the numbers of open and overdue requests of a lead."""
        overdue = overdue_work_query(account.username, self.today())
        return {
            "username": account.username,
            "name": account.name,
            "open": await self.executor.count(open_work_query(account.username)),
            "overdue": await self.executor.count(overdue),
        }

    async def moved_dues(self, before: StageRules, after: StageRules) -> list[MovedDue]:
        """Return the open requests whose due day moves if the rules change, the earliest due first."""
        query = RecordQuery("due", where={"open": 1}, limit=MAX_REQUESTS_READ)
        moved = [moved_due(loaded.state, before, after) async for loaded in self.executor.find_all(query)]
        return [found for found in moved if found is not None]

    async def list_workloads(self) -> list[dict[str, Any]]:
        """Return the active technical staff with the number of their open and overdue requests."""
        accounts = await self.platform.accounts.accounts_with_role(Role.TECHNICAL)
        return [await self.workload(account) for account in accounts]
