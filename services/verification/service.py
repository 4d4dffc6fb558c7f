"""What calls and pages of this service have in common: the request, its documents as pictures, and obeying a decision."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from services.verification.domain.commands import Command
from services.verification.domain.decisions import Rules
from services.verification.domain.state import State
from services.verification.errors import NO_DOCUMENT, NOT_DRAWABLE, SENTENCES, UNKNOWN
from services.verification.presenters import document
from services.verification.projections import find_requests
from shared.backends.platform import Platform
from shared.contracts.facts import DocumentRef
from shared.contracts.lifecycle import Status
from shared.documents.port import DocumentMissing, StoreUnavailable
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import (
    RENDERABLE_TYPES,
    PageImage,
    PageNotFound,
    RenderTimeout,
    Unrenderable,
)
from shared.identity.service import Principal
from shared.runtime.conflict import conflict
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.api import commands
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError

logger = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds that a page waits for a picture, which tells how many pages there are; it does without rather than come late."""


@dataclass(frozen=True, slots=True)
class PagePreview:
    """What is known of a document's page when it is about to be shown; `pages` is None if nobody knows yet."""

    page: int
    pages: int | None = None
    width: int = 0
    height: int = 0
    fault: str = ""


class VerificationService:
    """The requests of this service, as officers see them."""

    def __init__(
        self, runtime: ServiceRuntime[State], platform: Platform, rules: Rules, images: PageImageCache
    ) -> None:
        self.executor, self.store, self.platform, self.rules = runtime.executor, runtime.store, platform, rules
        self._images = images

    async def known(self, id: str) -> Loaded[State]:
        """Raises Problem 404 for a request that was not heard of."""
        loaded = await self.executor.read(id)
        if loaded is None or not loaded.state.number:
            raise Problem(404, UNKNOWN)
        return loaded

    async def document(self, id: str, document_id: str) -> DocumentRef:
        """Raises Problem 404."""
        found = document((await self.known(id)).state, document_id)
        if found is None:
            raise Problem(404, NO_DOCUMENT)
        return found

    async def waiting(self) -> int:
        """How many requests wait for an officer."""
        return await self.executor.count(find_requests(status=Status.SUBMITTED))

    async def execute_command(
        self, request: Request, id: str, command: Command, *parts: BaseModel | str
    ) -> dict[str, Any]:
        await self.known(id)
        return await commands.execute_command(
            request, self.executor, id, command, command.by.username, SENTENCES, *parts
        )

    def conflict(self, loaded: Loaded[State]) -> Problem:
        """409 as a decision would meet it now."""
        return commands.conflict(conflict(loaded.state.status, loaded.state.history), loaded.version)

    def get_cached(self, found: DocumentRef, page: int) -> PageImage | None:
        """The page if it was drawn a moment ago. Raises Problem 415."""
        if found.media_type not in RENDERABLE_TYPES:
            raise Problem(415, NOT_DRAWABLE)
        return self._images.get_cached(found.key, page)

    async def drawn(self, found: DocumentRef, page: int, officer: Principal) -> PageImage:
        """Raises Problem 404, 415 or 422, DocumentMissing."""
        if found.media_type not in RENDERABLE_TYPES:
            raise Problem(415, NOT_DRAWABLE)
        logger.info("%s looked at page %d of document %s", officer.username, page, found.id)
        try:
            return await self._images.render(found.key, found.media_type, page)
        except PageNotFound as error:
            raise Problem(404, error.message) from error
        except (Unrenderable, RenderTimeout) as error:
            raise validation_problem([FieldError("page", error.message)]) from error

    async def look(self, found: DocumentRef, page: int) -> PagePreview:
        """The page, or the first one if there is no such page. Its picture is begun here and shown by another call, so that
        this one never waits long; who looks is noted where the picture is handed out.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                image = await self._images.render(found.key, found.media_type, page)
        except PageNotFound as error:
            return await self.look(found, 1) if page > 1 else PagePreview(page, fault=error.message)
        except (Unrenderable, RenderTimeout, StoreUnavailable) as error:
            return PagePreview(page, fault=error.message)
        except DocumentMissing:
            return PagePreview(page, fault=NO_DOCUMENT)
        except TimeoutError:
            return PagePreview(page)
        return PagePreview(page, image.pages, *image.size)
