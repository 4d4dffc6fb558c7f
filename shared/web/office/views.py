"""Saved views: filters and order of a list under a name, stored per person; bodies, store, API, and the chips above a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.office.port import EntryConflict, OfficeStore
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api.idempotency import CommandContext, command_context, request_digest
from shared.web.api.lists import PageResponse
from shared.web.api.openapi import EMPTY_RESPONSES
from shared.web.api.problems import Problem
from shared.web.api.validation import FieldError, RequestBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import CLEAN_LINE, STRIP_INVISIBLE
from shared.web.views.request_list import ListLinks
from shared.web.views.words import load_words

API_PATH, PAGE_PATH = "/api/views", "/tampilan"
COLLECTION = "views"
MAX_VIEWS, MAX_NAME_LENGTH, MAX_QUERY_LENGTH = 50, 40, 1000
MAX_REMOVED = 100
"""How many deleted views of a person are kept, so that a repeated call does not save one again."""
PARAMETERS = frozenset(
    {"status", "tab", "search", "unit", "scope", "lead", "stage", "claimed_by", "overdue", "from", "to", "sort"}
)
"""The parameters of a list that a view stores; the part of the list that is shown is none of them."""

TEXTS = load_words("shared.web.office").views


class ListName(StrEnum):
    """The lists that have views."""

    VERIFICATION = "verification"
    ASSIGNMENT = "assignment"
    WORK = "work"


LIST_PATHS = {ListName.VERIFICATION: "/verifikasi", ListName.ASSIGNMENT: "/penugasan", ListName.WORK: "/pekerjaan"}
LIST_ROLES = {
    ListName.VERIFICATION: Role.OFFICER,
    ListName.ASSIGNMENT: Role.STRUCTURAL,
    ListName.WORK: Role.TECHNICAL,
}


def _normalize_query(query: str) -> str:
    """Return the query with its parameters in a fixed order, without blank ones and the part of the list."""
    pairs = {name: value for name, value in parse_qsl(query.removeprefix("?")) if name in PARAMETERS}
    return urlencode(sorted(pairs.items()))


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), CLEAN_LINE]
Query = Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STRIP_INVISIBLE, AfterValidator(_normalize_query)]


class ViewBody(RequestBody):
    """`query` is the query string of the list's page; a `default` view is shown when the page is opened without one."""

    name: Name
    list: ListName
    query: Query = ""
    default: bool = Field(False, strict=True)


class ViewUpdate(RequestBody):
    """Missing and null fields stay unchanged."""

    name: Name | None = None
    default: bool | None = Field(None, strict=True)


class SavedView(BaseModel):
    """A stored view."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: Name
    list: ListName
    query: Query
    default: bool
    digest: str = ""
    """Of what it was saved with, which stays when it is renamed."""

    @property
    def url(self) -> str:
        path = LIST_PATHS[self.list]
        return f"{path}?{self.query}" if self.query else path


class ViewResponse(BaseModel):
    """A saved view of the signed-in person; `url` is the page with it."""

    id: str
    name: str
    list: ListName
    query: str
    default: bool
    url: str


class ViewsResponse(PageResponse[ViewResponse]):
    """The saved views of the signed-in person by list and name; the list has one page."""


@dataclass(frozen=True, slots=True)
class _StoredViews:
    """What is stored of one person: the views, and those that were deleted."""

    items: tuple[SavedView, ...] = ()
    removed: tuple[SavedView, ...] = ()
    version: int = 0


class SavedViews:
    """The views of one person in the office store."""

    def __init__(self, office: OfficeStore, username: str) -> None:
        self._office, self._username = office, username

    async def all(self) -> list[SavedView]:
        """All views by list and name."""
        return sorted((await self._load()).items, key=lambda view: (view.list, view.name.lower(), view.id))

    async def of_list(self, name: ListName) -> list[SavedView]:
        return [view for view in await self.all() if view.list is name]

    async def add(self, added: SavedView) -> SavedView:
        """Store a view and return it, as a repeat with the same id does, even after it was deleted.

        Raises IdempotencyKeyReused, Problem 409 and 422.
        """

        def change(stored: _StoredViews) -> _StoredViews:
            if same := next((view for view in (*stored.items, *stored.removed) if view.id == added.id), None):
                if (same.digest or _digest(same)) != added.digest:
                    raise IdempotencyKeyReused(added.id)
                return stored
            if len(stored.items) >= MAX_VIEWS:
                raise _refused(422, "name", TEXTS.too_many.format(count=MAX_VIEWS))
            return replace(stored, items=_with(stored.items, added))

        changed = await self._change(change)
        return next(view for view in (*changed.items, *changed.removed) if view.id == added.id)

    async def update(self, view_id: str, update: ViewUpdate) -> SavedView:
        """Rename a view, or make it the default one of its list. Raises Problem 404, 409."""

        def change(stored: _StoredViews) -> _StoredViews:
            view = _find(stored.items, view_id)
            others = [other for other in stored.items if other.id != view_id]
            values = {name: value for name, value in update.model_dump().items() if value is not None}
            return replace(stored, items=_with(others, view.model_copy(update=values)))

        return _find((await self._change(change)).items, view_id)

    async def remove(self, view_id: str) -> None:
        """Remove a view. Raises Problem 404."""

        def change(stored: _StoredViews) -> _StoredViews:
            removed = _find(stored.items, view_id)
            items = tuple(view for view in stored.items if view is not removed)
            return replace(stored, items=items, removed=(*stored.removed, removed)[-MAX_REMOVED:])

        await self._change(change)

    async def _change(self, change: Callable[[_StoredViews], _StoredViews]) -> _StoredViews:
        while True:
            changed = change(await self._load())
            items, removed = (
                [view.model_dump(mode="json") for view in views] for views in (changed.items, changed.removed)
            )
            try:
                body = {"items": items, "removed": removed}
                await self._office.put(COLLECTION, self._username, body, expected=changed.version)
            except EntryConflict:
                continue
            return changed

    async def _load(self) -> _StoredViews:
        entry = await self._office.get(COLLECTION, self._username)
        if entry is None:
            return _StoredViews()
        items, removed = ([SavedView(**item) for item in entry.body.get(name, ())] for name in ("items", "removed"))
        return _StoredViews(tuple(items), tuple(removed), entry.version)


def _with(views: Sequence[SavedView], added: SavedView) -> tuple[SavedView, ...]:
    """Return the views with another one, whose name is the only one of its list; a default one takes the place of the other."""
    siblings = [view for view in views if view.list is added.list]
    if any(view.name.lower() == added.name.lower() for view in siblings):
        raise _refused(409, "name", TEXTS.taken.format(name=added.name))
    if added.default:
        views = [view.model_copy(update={"default": False}) if view in siblings else view for view in views]
    return (*views, added)


def _digest(view: ViewBody | SavedView) -> str:
    return request_digest(view.name, view.list, view.query)


def _find(views: Sequence[SavedView], view_id: str) -> SavedView:
    view = next((view for view in views if view.id == view_id), None)
    if view is None:
        raise Problem(404, TEXTS.missing)
    return view


def _refused(status: int, field: str, message: str) -> Problem:
    return Problem(status, message, errors=[FieldError(field, message)])


@dataclass(frozen=True, slots=True)
class ViewChips:
    """The saved views above a list: label, URL, whether each is shown; and the pages that save the present one and list all."""

    chips: Sequence[tuple[str, str, bool]]
    save_url: str
    manage_url: str
    default_url: str
    """The page with the default view, "" without one."""


async def view_chips(office: OfficeStore, username: str, name: ListName, links: ListLinks) -> ViewChips:
    """Return the chips of a list that is shown with these links."""
    views = await SavedViews(office, username).of_list(name)
    present = _normalize_query(links.url().partition("?")[2])
    shown = [(view.name, view.url, view.query == present) for view in views]
    is_saved = any(current for _, _, current in shown)
    save = f"{PAGE_PATH}?{urlencode({'list': name.value, 'query': present})}"
    default = next((view.url for view in views if view.default and view.query), "")
    return ViewChips(shown, "" if is_saved else save, PAGE_PATH if views else "", default)


STAFF = signed_in()
Staff = Annotated[Principal, Depends(STAFF)]
Context = Annotated[CommandContext, Depends(command_context)]
router = APIRouter(prefix=API_PATH, route_class=GuardedRoute, tags=["office"])


def views_of(request: Request, staff: Principal) -> SavedViews:
    return SavedViews(platform_of(request).office, staff.username)


async def add_view(request: Request, staff: Principal, body: ViewBody, context: CommandContext) -> SavedView:
    """Save a view of the signed-in person. Raises Problem 403 for a list of another role, 409, 422; IdempotencyKeyReused."""
    if not staff.has_role(LIST_ROLES[body.list]):
        raise Problem(403, TEXTS.other_list)
    view = SavedView(id=context.command_key(staff.username, "").id, digest=_digest(body), **body.model_dump())
    return await views_of(request, staff).add(view)


def _response(view: SavedView) -> dict[str, Any]:
    return {**view.model_dump(), "url": view.url}


@router.get("", response_model=ViewsResponse)
async def list_views(staff: Staff, request: Request) -> dict[str, Any]:
    """List the saved views of the signed-in person."""
    items = [_response(view) for view in await views_of(request, staff).all()]
    return {"items": items, "next": None, "previous": None}


@router.post("", status_code=201, response_model=ViewResponse)
async def save_view(body: ViewBody, staff: Staff, request: Request, context: Context) -> dict[str, Any]:
    """Save filters and order of a list under a name."""
    return _response(await add_view(request, staff, body, context))


@router.patch("/{view_id}", response_model=ViewResponse)
async def change_view(view_id: str, body: ViewUpdate, staff: Staff, request: Request) -> dict[str, Any]:
    """Rename a view, or make it the one that is shown first."""
    return _response(await views_of(request, staff).update(view_id, body))


@router.delete(
    "/{view_id}",
    response_model=None,
    responses=EMPTY_RESPONSES,
)
async def delete_view(view_id: str, staff: Staff, request: Request) -> dict[str, Any]:
    """Delete a view."""
    await views_of(request, staff).remove(view_id)
    return {}
