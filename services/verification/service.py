"""The application service of verification: what officers read and decide, whether by page or by API."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from services.verification.domain.commands import ClaimCommand, ClaimRequest, Command
from services.verification.domain.decisions import Rules
from services.verification.domain.state import State
from services.verification.errors import (
    DOCUMENT_NOT_FOUND,
    NO_OFFICER,
    NOT_RENDERABLE,
    REFUSAL_MESSAGES,
    REQUEST_NOT_FOUND,
)
from services.verification.projections import find_requests
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import DocumentRef, Staff
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import find_document
from shared.documents.port import DocumentMissing, StoreUnavailable
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import (
    RENDERABLE_TYPES,
    PageImage,
    PageNotFound,
    RenderTimeout,
    Unrenderable,
)
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.conflict import conflict
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.api import commands, serializers
from shared.web.api.idempotency import CommandContext
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError

logger = logging.getLogger(__name__)

PREVIEW_TIMEOUT_SECONDS = 0.5
"""How long a page waits for a rendered image, which says how many pages there are, before it is shown without that."""


@dataclass(frozen=True, slots=True)
class PagePreview:
    """A document's page as far as it is known; `pages` is None while the document is being rendered."""

    page: int
    pages: int | None = None
    width: int = 0
    height: int = 0
    fault: str = ""


class VerificationService:
    """Requests as officers see them."""

    def __init__(
        self, runtime: ServiceRuntime[State], platform: Platform, rules: Rules, images: PageImageCache
    ) -> None:
        self.executor, self.store, self.platform, self.rules = runtime.executor, runtime.store, platform, rules
        self._images = images

    def today(self) -> date:
        """Return the current date in Halmahera Timur."""
        return today(self.platform.clock())

    async def get_request(self, request_id: str) -> Loaded[State]:
        """Return a submitted request. Raises Problem 404."""
        loaded = await self.executor.read(request_id)
        if loaded is None or not loaded.state.number:
            raise Problem(404, REQUEST_NOT_FOUND)
        return loaded

    async def get_document(self, request_id: str, document_id: str) -> DocumentRef:
        """Return a document of a request. Raises Problem 404."""
        document = find_document((await self.get_request(request_id)).state, document_id)
        if document is None:
            raise Problem(404, DOCUMENT_NOT_FOUND)
        return document

    async def count_submitted(self) -> int:
        """Return how many requests await an officer."""
        return await self.executor.count(find_requests(status=Status.SUBMITTED, advised=False))

    async def officers(self) -> list[Staff]:
        """Return the active officers by name."""
        accounts = await self.platform.accounts.accounts_with_role(Role.OFFICER)
        officers = [Staff(username=account.username, name=account.name) for account in accounts]
        return sorted(officers, key=lambda officer: officer.name)

    async def claim_for(self, by: Staff, username: str | None) -> ClaimRequest:
        """Return the command that makes this officer, or `by`, check a request. Raises Problem 422 for anybody else."""
        if username is None:
            return ClaimRequest(by, officer=by)
        officer = next((one for one in await self.officers() if one.username == username), None)
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

    async def execute(
        self, context: CommandContext, request_id: str, command: Command, *content: BaseModel | str
    ) -> dict[str, Any]:
        """Execute an officer's command; `content` is what the request body said. Raises Problem."""
        await self.get_request(request_id)
        officer = command.by.username
        return await commands.execute_command(
            context, self.executor, request_id, command, officer, REFUSAL_MESSAGES, *content
        )

    def conflict_problem(self, loaded: Loaded[State]) -> Problem:
        """Return the 409 that a decision on this state would get."""
        return commands.conflict(conflict(loaded.state.status, loaded.state.history), loaded.version)

    def get_cached_page(self, document: DocumentRef, page: int) -> PageImage | None:
        """Return a page that was rendered recently. Raises Problem 415."""
        _require_renderable(document)
        return self._images.get_cached(document.key, page)

    async def render_page(self, document: DocumentRef, page: int, officer: Principal) -> PageImage:
        """Return a page as an image. Raises Problem 404, 415 or 422, and DocumentMissing."""
        _require_renderable(document)
        logger.info("%s looked at page %d of document %s", officer.username, page, document.id)
        try:
            return await self._images.render(document.key, document.media_type, page)
        except PageNotFound as error:
            raise Problem(404, error.message) from error
        except (Unrenderable, RenderTimeout) as error:
            raise validation_problem([FieldError("page", error.message)]) from error

    async def preview_page(self, document: DocumentRef, page: int) -> PagePreview:
        """Start to render a page, or the first one if it does not exist, and return what is known after a short time.

        The image itself is delivered, and the access logged, by `render_page`.
        """
        try:
            async with asyncio.timeout(PREVIEW_TIMEOUT_SECONDS):
                image = await self._images.render(document.key, document.media_type, page)
        except PageNotFound as error:
            return await self.preview_page(document, 1) if page > 1 else PagePreview(page, fault=error.message)
        except (Unrenderable, RenderTimeout, StoreUnavailable) as error:
            return PagePreview(page, fault=error.message)
        except DocumentMissing:
            return PagePreview(page, fault=DOCUMENT_NOT_FOUND)
        except TimeoutError:
            return PagePreview(page)
        return PagePreview(page, image.pages, *image.size)


def _require_renderable(document: DocumentRef) -> None:
    if document.media_type not in RENDERABLE_TYPES:
        raise Problem(415, NOT_RENDERABLE)
