"""Ready-made sentences for returns, questions and rejections: bodies, their store and the API."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, Field, field_validator

from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.office.port import EntryConflict, OfficeStore
from shared.web.api.problems import Problem
from shared.web.api.validation import REQUIRED_MESSAGE, InputModel, RequestBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import CLEAN_LINE, CLEAN_PARAGRAPHS, STRIP_INVISIBLE
from shared.web.views.rendering import shared_templates

COLLECTION, KEY = "phrases", "all"
MAX_PHRASES = 100
SHORTCUT = re.compile("^[a-z0-9][a-z0-9-]{0,19}$")
READERS = signed_in(Role.OFFICER, Role.STRUCTURAL, Role.TECHNICAL, Role.ADMIN)
HEADS_AND_ADMINS = signed_in(Role.STRUCTURAL, Role.ADMIN)
HeadOrAdmin = Annotated[Principal, Depends(HEADS_AND_ADMINS)]

_texts = shared_templates.words.phrases


class PhraseUse(StrEnum):
    """Where a sentence is offered: in a return, in a question to the applicant, or in a rejection."""

    RETURN = "return"
    QUESTION = "question"
    REJECTION = "rejection"


def _validate_shortcut(shortcut: str) -> str:
    if not SHORTCUT.fullmatch(shortcut):
        raise ValueError(_texts.shortcut_pattern if shortcut else REQUIRED_MESSAGE)
    return shortcut


class Phrase(InputModel):
    """A sentence; `::shortcut` in a field is replaced by its text."""

    shortcut: Annotated[
        str,
        Field(json_schema_extra={"pattern": SHORTCUT.pattern}),
        STRIP_INVISIBLE,
        AfterValidator(_validate_shortcut),
    ]
    title: Annotated[str, Field(min_length=1, max_length=80), CLEAN_LINE]
    text: Annotated[str, Field(min_length=1, max_length=500), CLEAN_PARAGRAPHS]
    use: PhraseUse


class PhrasesBody(RequestBody):
    """All sentences; with a `version` only if they are still the ones of that version."""

    items: Annotated[tuple[Phrase, ...], Field(max_length=MAX_PHRASES)]
    version: int | None = Field(None, ge=0, strict=True)

    @field_validator("items")
    @classmethod
    def _validate_unique_shortcuts(cls, items: tuple[Phrase, ...]) -> tuple[Phrase, ...]:
        shortcuts = [phrase.shortcut for phrase in items]
        if double := next((shortcut for shortcut in shortcuts if shortcuts.count(shortcut) > 1), None):
            raise ValueError(_texts.double.format(shortcut=double))
        return items


class PhraseResponse(BaseModel):
    """A stored sentence."""

    shortcut: str
    title: str
    text: str
    use: PhraseUse


class PhrasesResponse(BaseModel):
    """All sentences in their order; `version` is 0 while they are the initial ones."""

    items: list[PhraseResponse]
    version: int


async def load_phrases(store: OfficeStore) -> tuple[list[Phrase], int]:
    """Return the sentences of the office and their version; the initial ones until somebody changes them."""
    entry = await store.get(COLLECTION, KEY)
    stored = entry.body["items"] if entry else [{"shortcut": key, **_initial_phrase(key)} for key in _texts.initial]
    return [Phrase(**phrase) for phrase in stored], entry.version if entry else 0


def _initial_phrase(key: str) -> dict[str, str]:
    phrase = _texts.initial[key]
    return {name: phrase[name] for name in ("title", "text", "use")}


async def phrases_for(store: OfficeStore, use: PhraseUse) -> list[Phrase]:
    """Return the sentences that are offered there."""
    return [phrase for phrase in (await load_phrases(store))[0] if phrase.use is use]


async def save_phrases(store: OfficeStore, body: PhrasesBody) -> int:
    """Store all sentences and return their version. Raises Problem 409 if they are of another version."""
    items = [phrase.model_dump(mode="json") for phrase in body.items]
    try:
        return (await store.put(COLLECTION, KEY, {"items": items}, expected=body.version)).version
    except EntryConflict as error:
        raise Problem(409, _texts.conflict) from error


router = APIRouter(route_class=GuardedRoute, tags=["office"])


@router.get("/api/phrases", response_model=PhrasesResponse, dependencies=[Depends(READERS)])
async def list_phrases(request: Request) -> dict[str, Any]:
    """List the ready-made sentences."""
    items, version = await load_phrases(platform_of(request).office)
    return {"items": [phrase.model_dump() for phrase in items], "version": version}


@router.put("/api/phrases", response_model=PhrasesResponse)
async def replace_phrases(body: PhrasesBody, _editor: HeadOrAdmin, request: Request) -> dict[str, Any]:
    """Replace all ready-made sentences."""
    return {
        "items": [phrase.model_dump() for phrase in body.items],
        "version": await save_phrases(platform_of(request).office, body),
    }
