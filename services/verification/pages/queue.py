"""The queue page: lists by status with their counts, filters, and a notice of the last decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from services.verification.dependencies import Officer, Verification
from services.verification.domain.state import State
from services.verification.errors import TEXTS
from services.verification.pages import QUEUE_PATH, templates
from services.verification.projections import list_cursor, requests_query
from services.verification.schemas import ADVISED_LIST, ALL_LIST, OPEN_LIST, QueuePageQuery
from services.verification.service import VerificationService
from shared.contracts.lifecycle import Status
from shared.identity.principal import Principal
from shared.office.presence import viewer_names
from shared.runtime.executor import Loaded
from shared.storage.port import BoundedCount, RecordQuery
from shared.web.api.exports import ExportKind
from shared.web.office.views import ListName, view_chips
from shared.web.views.formats import format_weekday_date
from shared.web.views.labels import STAGE_LABELS, scope_label
from shared.web.views.page_routes import PageRoute, see_other
from shared.web.views.request_list import EXPORT_NAME, ListLinks, age, format_input_date, list_context
from shared.web.views.words import fill, load_words

LIST_PARAMETER = "daftar"
LIST_NAMES = (Status.SUBMITTED.value, ADVISED_LIST, Status.RETURNED.value, Status.VERIFIED.value, OPEN_LIST, ALL_LIST)
_texts, _common = TEXTS.queue, load_words("shared.web.views")

router = APIRouter(prefix=QUEUE_PATH, route_class=PageRoute, include_in_schema=False)

Tab = tuple[str, str, bool, BoundedCount | None]
"""Label, URL, whether it is the current one, and count."""


@dataclass(frozen=True, slots=True)
class EmptyState:
    """The message of an empty list, with a link if there is a way to continue."""

    title: str
    text: str
    link_text: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class DecisionNotice:
    """The message about the decision just made, with a link to the next request."""

    text: str
    next_number: str = ""
    next_url: str = ""


@router.get("")
async def show_queue(
    query: Annotated[QueuePageQuery, Query()], officer: Officer, request: Request, verification: Verification
) -> Response:
    """Show the queue: one list, the counts of all lists, and what the officer has just decided."""
    # The cursor is taken before the list: a change in between is then reported twice rather than never.
    cursor = await verification.store.latest_change()
    links = list_links(query)
    views = await view_chips(verification.platform.office, officer.username, ListName.VERIFICATION, links)
    if views.default_url and not request.url.query:
        return see_other(views.default_url)
    to_row = await _row_presenter(verification, officer)
    listed = await list_context(verification.executor, query, list_query(query, verification.today()), links, to_row)
    return templates(
        request,
        "queue.html",
        tabs=[await _tab(verification, name, query) for name in LIST_NAMES],
        chips=_chips(query, officer),
        views=views,
        officers=await verification.officers(),
        empty=None if listed["lines"] else await _empty_state(verification, query),
        done=await _decision_notice(verification, query, officer),
        from_list=list_suffix(query),
        cursor=cursor,
        me=officer.username,
        waiting={QUEUE_PATH: await verification.count_submitted()},
        **listed,
    )


@router.get(f"/{EXPORT_NAME}.{{kind}}")
async def export_queue(
    kind: ExportKind, query: Annotated[QueuePageQuery, Query()], officer: Officer, verification: Verification
) -> Response:
    """Download the whole list that the page shows."""
    return await verification.export(kind, officer, list_query(query, verification.today()))


async def _row_presenter(
    verification: VerificationService, officer: Principal
) -> Callable[[Loaded[State]], dict[str, Any]]:
    """Return the function that presents the rows of a page, each with its age and who has it open."""
    day, rules, present = verification.today(), verification.rules, verification.item_presenter()
    viewers = await verification.platform.presence.by_request(officer.username)

    def row(loaded: Loaded[State]) -> dict[str, Any]:
        return {**present(loaded), **age(loaded.state, day, rules), "open_by": viewer_names(viewers, loaded.id)}

    return row


def _chips(query: QueuePageQuery, officer: Principal) -> list[tuple[str, str, bool]]:
    """Return the switchable filters of the queue: label, URL, and whether each is on."""
    mine, late = query.claimed_by == officer.username, query.overdue
    links = list_links(query)
    return [
        (_common.list.mine, links.url(claimed_by="" if mine else officer.username), mine),
        (_common.list.late_view, links.url(overdue="" if late else "true"), late),
    ]


async def _tab(verification: VerificationService, name: str, query: QueuePageQuery) -> Tab:
    """Return a tab with the count of its list; the archive grows without end and is not counted."""
    tab_query = query.model_copy(update={"status": name, "after": "", "before": ""})
    count = (
        None
        if name == ALL_LIST
        else await verification.executor.bounded_count(list_query(tab_query, verification.today()))
    )
    return _texts.tab[name], list_links(tab_query).url(), name == query.status, count


async def _empty_state(verification: VerificationService, query: QueuePageQuery) -> EmptyState:
    if query.after or query.before:
        texts = _texts.empty.beyond
        return EmptyState(texts.title, texts.text, _texts.start, list_links(query).url())
    if query.active_filters:
        return await _empty_search(verification, query)
    texts = _texts.empty[query.status if query.status in LIST_NAMES else "other"]
    return EmptyState(texts.title, texts.text)


async def _empty_search(verification: VerificationService, query: QueuePageQuery) -> EmptyState:
    """Say how many requests the list has without the filters."""
    texts, unfiltered = _texts.empty.filtered, QueuePageQuery(status=query.status)
    count = await verification.executor.bounded_count(list_query(unfiltered, verification.today()))
    text = fill(
        texts.text if count else texts.nothing,
        asked=", ".join(_filter_labels(query)),
        tab=_texts.tab[query.status] if query.status in LIST_NAMES else query.status,
        count=count,
    )
    return EmptyState(texts.title, text, _texts.lift, list_links(unfiltered).url())


async def _decision_notice(
    verification: VerificationService, query: QueuePageQuery, officer: Principal
) -> DecisionNotice | None:
    """Return what the officer decided on this request, from its stored state, and the next request of the list."""
    loaded = await verification.executor.read(query.done) if query.done else None
    text = _decision_message(loaded.state, officer) if loaded else ""
    if loaded is None or not text:
        return None
    following = await _next_request(verification, query, loaded)
    if following is None:
        return DecisionNotice(f"{text} {TEXTS.done.none}")
    return DecisionNotice(text, following.state.number, f"{QUEUE_PATH}/{following.id}{list_suffix(query)}")


async def _next_request(
    verification: VerificationService, query: QueuePageQuery, loaded: Loaded[State]
) -> Loaded[State] | None:
    """Return the request that follows in the list, else its first one."""
    requests = list_query(query.model_copy(update={"after": "", "before": ""}), verification.today())
    for after in (list_cursor(loaded, requests, verification.rules), None):
        found = await verification.executor.find(replace(requests, after=after, limit=2))
        others = [other for other in found.items if other.id != loaded.id]
        if others:
            return others[0]
    return None


def list_query(query: QueuePageQuery, day: date) -> RecordQuery:
    """Return the query of a list; requests whose rejection is recommended have a list of their own."""
    filters = query.filters(day)
    status = Status.SUBMITTED if query.status == ADVISED_LIST else query.status
    filters["status"] = status if status not in (OPEN_LIST, ALL_LIST) else ""
    if status == Status.SUBMITTED:
        filters["advised"] = query.status == ADVISED_LIST
    filters["open_only"] = query.status == OPEN_LIST
    filters["descending"] = query.sort.startswith("-") if query.sort else query.status == ALL_LIST
    return requests_query(**filters)


def list_links(query: QueuePageQuery) -> ListLinks:
    """Return the links of the page with the same list and filters."""
    parameters = {"status": query.status if query.status != Status.SUBMITTED else "", **query.active_filters}
    if query.limit != QueuePageQuery.model_fields["limit"].default:
        parameters["limit"] = str(query.limit)
    return ListLinks(QUEUE_PATH, parameters, query.sort, bare=f"status={Status.SUBMITTED.value}")


def list_parameters(query: QueuePageQuery) -> tuple[tuple[str, str], ...]:
    """Return the parameters of the address of a request that was opened from this list, none for the queue itself."""
    links = list_links(query)
    if not links.sort and not any(links.parameters.values()):
        return ()
    return ((LIST_PARAMETER, links.url().partition("?")[2]),)


def list_suffix(query: QueuePageQuery) -> str:
    """Return what the address of a request ends with that was opened from this list, "" for the queue itself."""
    parameters = list_parameters(query)
    return f"?{urlencode(parameters)}" if parameters else ""


def parse_list(request: Request) -> QueuePageQuery:
    """Return the list from which the page of a request was opened, the queue itself if its address names none."""
    try:
        return QueuePageQuery.model_validate(dict(parse_qsl(request.query_params.get(LIST_PARAMETER, ""))))
    except ValidationError:
        return QueuePageQuery()


def _filter_labels(query: QueuePageQuery) -> list[str]:
    labels = [f'"{query.search}"' if query.search else "", query.unit, scope_label(query.scope or "")]
    labels.append(STAGE_LABELS[query.stage] if query.stage else "")
    labels += [_common.list.late_view if query.overdue else "", _common.list.mine if query.claimed_by else ""]
    labels += [
        f"{_common.list['from']} {format_input_date(query.submitted_from)}" if query.submitted_from else "",
        f"{_common.list.to} {format_input_date(query.submitted_to)}" if query.submitted_to else "",
    ]
    return [text for text in labels if text]


def _decision_message(state: State, officer: Principal) -> str:
    """Return what this officer decided last on the request, "" if nothing."""
    advice, judgement = state.current_recommendation, state.judgement
    if advice and advice.by.username == officer.username and not state.decided_by:
        return fill(TEXTS.done.recommended, number=state.number)
    if judgement is None or not state.decided_by or judgement.by.username != officer.username:
        return ""
    if judgement.respond_by:
        return fill(TEXTS.done.returned, number=state.number, day=format_weekday_date(judgement.respond_by))
    return fill(TEXTS.done.verified, number=state.number)
