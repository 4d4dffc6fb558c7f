"""From messages of the ledger to emails: recipients, links and content at the time of sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from cachetools import TTLCache

from services.notification.domain.applicant_emails import AssignedEmail, ContactConfirmationEmail, ReassignedEmail
from services.notification.domain.notification_rules import APPLICANT, NEW_CONTACT
from services.notification.domain.promised_days import promise_working_days
from services.notification.domain.state import Message, State
from services.notification.email_rendering import EmailContent, render
from shared.calendar import WorkingCalendar
from shared.identity.accounts import Account, AccountStore, Role
from shared.identity.substitutes import Capacity, SubstituteRegister
from shared.mail.port import Email
from shared.office_contact import OfficeContact
from shared.runtime.executor import Loaded
from shared.web.views.navigation import MENU_ITEMS, SIGN_IN

CACHE_TTL_SECONDS = 1.0
MAX_CACHED_LOOKUPS = 1000

_HOME_PATHS = {item.role: item.path for item in reversed(MENU_ITEMS)}
_ROLES_WITH_FULL_ACCESS = (Role.OFFICER, Role.STRUCTURAL)


@dataclass(frozen=True, slots=True)
class Recipient:
    name: str
    address: str
    roles: tuple[Role, ...] = field(default=(), compare=False)
    username: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """What all emails of an installation share; `origin` starts the links to staff pages, `reply_to` may be empty."""

    sender: str
    origin: str
    reply_to: str
    office: OfficeContact
    calendar: Callable[[], WorkingCalendar]


class StaffDirectory(Protocol):
    """Finds active members of staff."""

    async def accounts_with_role(self, role: str) -> Sequence[Recipient]: ...

    async def person(self, username: str) -> Recipient | None: ...

    async def recipients_for(self, username: str) -> Sequence[Recipient]:
        """The person, and whoever acts for the person."""


class CachedStaffDirectory:
    """A StaffDirectory over the accounts; results are cached briefly, because emails of one batch go to the same people."""

    def __init__(
        self,
        accounts: AccountStore,
        now: Callable[[], float] = monotonic,
        *,
        substitutes: SubstituteRegister | None = None,
    ) -> None:
        self._accounts, self._substitutes = accounts, substitutes
        self._cache: TTLCache[str, Sequence[Recipient]] = TTLCache(MAX_CACHED_LOOKUPS, CACHE_TTL_SECONDS, now)

    async def accounts_with_role(self, role: str) -> Sequence[Recipient]:
        """Return the members of a role and their substitutes, none of a role that this version does not know."""
        if role not in {known.value for known in Role}:
            return []
        return await self._get_cached(f"role:{role}", lambda: self._members(Role(role)))

    async def person(self, username: str) -> Recipient | None:
        found = await self._get_cached(f"person:{username}", lambda: self._active_person(username))
        return found[0] if found else None

    async def recipients_for(self, username: str) -> Sequence[Recipient]:
        return await self._get_cached(f"for:{username}", lambda: self._person_and_substitutes(username))

    async def _members(self, role: Role) -> list[Recipient]:
        members = [_recipient(account) for account in await self._accounts.accounts_with_role(role)]
        known = {member.username for member in members}
        substitutes = await self._substitutes.substitutes_with_role(role) if self._substitutes else []
        return [*members, *(_acting(*one) for one in substitutes if one[0].username not in known)]

    async def _active_person(self, username: str) -> list[Recipient]:
        account = await self._accounts.account(username)
        return [_recipient(account)] if account and account.active else []

    async def _person_and_substitutes(self, username: str) -> list[Recipient]:
        substitutes = await self._substitutes.substitutes_of(username) if self._substitutes else []
        return [*await self._active_person(username), *(_acting(*one) for one in substitutes)]

    async def _get_cached(self, key: str, load: Callable[[], Awaitable[Sequence[Recipient]]]) -> Sequence[Recipient]:
        cached = self._cache.get(key)
        if cached:
            return cached
        self._cache[key] = found = await load()
        return found


def _recipient(account: Account) -> Recipient:
    return Recipient(account.name, account.email, account.roles, account.username)


def _acting(account: Account, capacity: Capacity) -> Recipient:
    """A substitute as a recipient, with the roles as a substitute, so that links lead to pages that they may open."""
    roles = tuple(dict.fromkeys((*account.roles, *capacity.roles)))
    return Recipient(capacity.name_of(account.name), account.email, roles, account.username)


class EmailComposer:
    """Composes emails.

    `tracking_link(request_id, number)` returns the link of the applicant, `contact_link(request_id, number, change)` the one that
    confirms a new contact.
    """

    def __init__(
        self,
        directory: StaffDirectory,
        settings: EmailSettings,
        tracking_link: Callable[[str, str], str],
        contact_link: Callable[[str, str, int], str],
    ) -> None:
        self._directory, self._settings = directory, settings
        self._tracking_link, self._contact_link = tracking_link, contact_link

    async def recipients(self, state: State, message: Message) -> Sequence[Recipient]:
        if message.to == APPLICANT:
            return [Recipient(state.applicant.name, state.applicant.email)] if state.applicant else []
        if message.to == NEW_CONTACT:
            return [Recipient(state.new_contact.name, state.new_contact.email)] if state.new_contact else []
        kind, _, name = message.to.partition(":")
        if kind == "role":
            return await self._directory.accounts_with_role(name)
        return await self._directory.recipients_for(name)

    async def compose(self, loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]) -> Email:
        """Return the email. Raises InvalidHeader and InvalidEmail."""
        rendered = render(await self._content(loaded, message, recipients))
        return Email(
            message_id=message.id,
            to=tuple(recipient.address for recipient in recipients),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            sender=self._settings.sender,
            date=message.planned_at,
            reply_to=self._settings.reply_to,
            thread_id=_thread_id(loaded.id, message),
        )

    async def _content(self, loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]) -> EmailContent:
        state, parameters = loaded.state, promise_working_days(message.values, self._settings.calendar())
        name = recipients[0].name if len(recipients) == 1 else ""
        if message.to in (APPLICANT, NEW_CONTACT):
            return EmailContent(
                parameters,
                name,
                state.number,
                state.scope,
                link=self._applicant_link(loaded, message),
                contact=await self._lead_address(message),
                office=self._settings.office,
                status=state.course.status,
            )
        return EmailContent(
            parameters,
            name,
            state.number,
            state.scope,
            link=self._settings.origin + _staff_path(loaded, message, recipients),
            applicant=state.applicant.name if state.applicant else "",
            unit=state.applicant.unit if state.applicant else "",
            status=state.course.status,
        )

    def _applicant_link(self, loaded: Loaded[State], message: Message) -> str:
        if isinstance(message.values, ContactConfirmationEmail):
            return self._contact_link(loaded.id, loaded.state.number, message.values.change)
        return self._tracking_link(loaded.id, loaded.state.number)

    async def _lead_address(self, message: Message) -> str:
        match message.values:
            case AssignedEmail(lead_username=username) | ReassignedEmail(lead_username=username):
                lead = await self._directory.person(username)
                return lead.address if lead else ""
        return ""


def path_for_role(request_id: str, role: Role) -> str:
    """Return the path of a request for members of a role that may open every request."""
    return f"{_HOME_PATHS[role]}/{request_id}"


def path_for_person(request_id: str, roles: Sequence[Role], *, is_lead: bool) -> str:
    """Return the path of a request for one person; a former lead, who cannot open it any more, gets the list of own work."""
    if is_lead:
        return path_for_role(request_id, Role.TECHNICAL)
    role = next((role for role in _ROLES_WITH_FULL_ACCESS if role in roles), None)
    if role is not None:
        return path_for_role(request_id, role)
    return _HOME_PATHS[Role.TECHNICAL] if Role.TECHNICAL in roles else SIGN_IN


def _staff_path(loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]) -> str:
    kind, _, name = message.to.partition(":")
    if kind == "role":
        return path_for_role(loaded.id, Role(name))
    is_lead = loaded.state.lead is not None and loaded.state.lead.username == name
    return path_for_person(loaded.id, recipients[0].roles, is_lead=is_lead)


def _thread_id(request_id: str, message: Message) -> str:
    """Return the id of the conversation with the applicant, or of that with staff, about a request."""
    thread = {APPLICANT: "applicant", NEW_CONTACT: "contact"}.get(message.to, "staff")
    return f"{request_id}.{thread}.thread"
