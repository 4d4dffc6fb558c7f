"""Which requests a member of staff may see and work on: a structural head all, technical staff those of the leads they act for."""

from __future__ import annotations

from datetime import date

from services.assignment.domain.state import State
from services.assignment.schemas import WorkQuery
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.runtime.request_columns import RequestFilters


def is_lead(state: State, reader: Principal) -> bool:
    """Whether this person leads the request, or acts for its lead."""
    return state.lead is not None and state.lead.username in reader.usernames_for(Role.TECHNICAL)


def acting_for_lead(state: State, by: Principal) -> Principal:
    """The person in the capacity in which this request is theirs: as its lead, or acting for its lead."""
    return by.acting_for(state.lead.username) if state.lead and is_lead(state, by) else by


def is_visible_to(state: State, reader: Principal) -> bool:
    """Whether changes of a request are streamed to this person, including its reassignment to another lead."""
    own = is_lead(state, reader) or was_just_reassigned_from(state, reader)
    return bool(state.number) and (own or reader.has_role(Role.STRUCTURAL))


def was_just_reassigned_from(state: State, reader: Principal) -> bool:
    """Whether the last event reassigned the request from this person, whose page has to show that."""
    last = state.history[-1].event if state.history else ""
    former = state.former_lead
    return last == "LeadReassigned" and former is not None and former.username in reader.usernames_for(Role.TECHNICAL)


def may_list(lead: str, reader: Principal) -> bool:
    """Whether this person may list the requests of that lead ("" for all that they may see)."""
    return lead == "" or reader.has_role(Role.STRUCTURAL) or lead in reader.usernames_for(Role.TECHNICAL)


def listed_lead(lead: str, reader: Principal) -> str:
    """The lead whose requests technical staff see in a list: the one they name if they act for that one, else their own."""
    leads = reader.usernames_for(Role.TECHNICAL)
    return lead if lead in leads else leads[0]


def readable_filters(query: WorkQuery, reader: Principal, day: date) -> RequestFilters:
    """The filters of a list; technical staff see the requests of one lead."""
    filters = query.filters(day)
    if not reader.has_role(Role.STRUCTURAL):
        filters["lead"] = listed_lead(query.lead, reader)
    return filters
