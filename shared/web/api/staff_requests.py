"""What the application services of verification and assignment have in common: requests as staff read and change them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import Staff
from shared.contracts.request_state import StaffRequestState
from shared.contracts.stages import StageRules
from shared.identity.principal import Principal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import RecordQuery
from shared.web.api import commands, serializers
from shared.web.api.bulk import BulkBody, BulkResult, run_bulk
from shared.web.api.exports import ExportKind, export_requests
from shared.web.api.idempotency import CommandContext
from shared.web.api.live import live_for_staff
from shared.web.api.problems import Problem
from shared.web.documents.previews import open_previews

State = TypeVar("State", bound=StaffRequestState)


class StaffCommand(Protocol):
    """A command; `by` is None if a timer gives it."""

    @property
    def by(self) -> Staff | None: ...


class StaffRequestService(Generic[State]):
    """Requests as staff see them.

    `not_found` is the message about an unknown request, `refusals` are those of refused commands, and `present_item` presents a
    request as an item of a list.
    """

    def __init__(
        self,
        runtime: ServiceRuntime[State],
        platform: Platform,
        *,
        not_found: str,
        refusals: commands.RefusalMessages,
        present_item: Callable[[Loaded[State], date, StageRules], dict[str, Any]],
    ) -> None:
        self.executor, self.store, self.platform = runtime.executor, runtime.store, platform
        self.previews = open_previews(platform.documents)
        self._not_found, self._refusals, self._present_item = not_found, refusals, present_item

    @property
    def rules(self) -> StageRules:
        """The rules of the stages that hold now."""
        return self.platform.rules()

    def today(self) -> date:
        """Return the current date in Halmahera Timur."""
        return today(self.platform.clock())

    async def get_request(self, request_id: str) -> Loaded[State]:
        """Return a submitted request. Raises Problem 404."""
        loaded = await self.executor.read(request_id)
        if loaded is None or not loaded.state.number:
            raise Problem(404, self._not_found)
        return loaded

    async def get_cached_request(self, request_id: str) -> Loaded[State]:
        """Return a submitted request, perhaps at an earlier version. Raises Problem 404."""
        cached = await self.executor.read_cached(request_id)
        return cached if cached is not None and cached.state.number else await self.get_request(request_id)

    async def execute(
        self, context: CommandContext, request_id: str, command: StaffCommand, *content: BaseModel | str
    ) -> dict[str, Any]:
        """Execute a command of a member of staff; `content` is what the request body said. Raises Problem."""
        await self.get_cached_request(request_id)
        actor = command.by.username if command.by else ""
        return await commands.execute_command(
            context, self.executor, request_id, command, actor, self._refusals, *content
        )

    async def execute_each(self, context: CommandContext, body: BulkBody, command: StaffCommand) -> list[BulkResult]:
        """Execute a command on several requests, and return each outcome."""
        return await run_bulk(
            body.ids, lambda request_id: self.execute(context, request_id, command, body), self.executor
        )

    def item_presenter(self) -> Callable[[Loaded[State]], dict[str, Any]]:
        """Return the function that presents requests as the items of a list of today."""
        day, rules = self.today(), self.rules
        return lambda loaded: self._present_item(loaded, day, rules)

    async def export(self, kind: ExportKind, reader: Principal, query: RecordQuery | None) -> Response:
        """Return a whole list as a file, an empty one without a query."""
        return await export_requests(kind, reader.username, self.executor, query, self.item_presenter())

    async def follow(
        self, request: Request, reader: Principal, opened_id: str, is_visible: Callable[[State], bool]
    ) -> Response:
        """Stream the changes of the requests that are visible to this member of staff, and who has the opened one open."""

        async def visible_fields(request_id: str, version: int) -> dict[str, Any] | None:
            loaded = await self.executor.read_change(request_id, version)
            if loaded is None or not is_visible(loaded.state):
                return None
            return serializers.change_notice(loaded.state.number, loaded.state.status)

        return await live_for_staff(request, self.store, visible_fields, reader, opened_id)
