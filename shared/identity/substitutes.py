"""Substitutes: who stands in for a person or a role, and from which to which day.

They are one entry of the office store, which every process of every service reads with each call of a member of staff: a
substitution begins and ends by the calendar, over restarts and in all processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from shared.calendar import today
from shared.clock import Clock
from shared.identity.accounts import Account, AccountStore, Role
from shared.office.port import EntryConflict, OfficeStore
from shared.runtime.executor import IdempotencyKeyReused

logger = logging.getLogger(__name__)

COLLECTION, KEY = "substitutes", "all"
MAX_DAYS = 366
"""The longest substitution; a longer absence is entered again."""
HISTORY_DAYS = 366
"""Ended substitutions are removed after this time."""
MAX_REMOVED = 100
"""How many substitutions that were ended by hand are kept, so that a repeated call does not add one again."""
MAX_ATTEMPTS = 10


class SubstitutionKind(StrEnum):
    """Plh (pelaksana harian) while the holder is away for some days, Plt (pelaksana tugas) while the post has no holder."""

    PLH = "plh"
    PLT = "plt"

    @property
    def prefix(self) -> str:
        return f"{self.value.capitalize()}."


REPLACEABLE_ROLES = (Role.OFFICER, Role.STRUCTURAL, Role.TECHNICAL)
"""Roles that a substitute of a person takes over; an administrator has no substitute."""
SHARED_ROLES = (Role.OFFICER, Role.STRUCTURAL)
"""Roles that have a substitute without a person; the work of technical staff belongs to a person."""


class SubstitutionRefused(Exception):
    """The substitution is not possible: `field` is the field at fault, `code` the reason."""

    def __init__(self, field: str, code: str, **params: Any) -> None:
        super().__init__(code)
        self.field = field
        self.code = code
        self.params = params


@dataclass(frozen=True, slots=True)
class Substitution:
    """`substitute` stands in for the person `username` or for the holders of `role`, which people call `label`."""

    id: str
    kind: SubstitutionKind
    substitute: str
    username: str
    role: Role | None
    first_day: date
    last_day: date
    by: str
    label: str = ""

    def is_active(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day

    def overlaps(self, other: Substitution) -> bool:
        same = (self.username, self.role) == (other.username, other.role)
        return same and self.first_day <= other.last_day and other.first_day <= self.last_day


@dataclass(frozen=True, slots=True)
class Capacity:
    """What somebody may do as a substitute: the roles of the person `username`, or a role ("" person).

    `name` is that of the person or of the role.
    """

    kind: SubstitutionKind
    username: str
    name: str
    roles: tuple[Role, ...]

    def name_of(self, substitute: str) -> str:
        """How documents, emails and the history name the substitute, for example `Ana Misal (Plh. Budi Contoh)`."""
        return f"{substitute} ({self.kind.prefix} {self.name})"


@dataclass(frozen=True, slots=True)
class _Register:
    """What is stored: the substitutions, and those that were ended by hand."""

    items: tuple[Substitution, ...] = ()
    removed: tuple[Substitution, ...] = ()
    version: int = 0


class SubstituteRegister:
    """Records substitutions, and says who acts for whom today."""

    def __init__(self, office: OfficeStore, accounts: AccountStore, clock: Clock) -> None:
        self._office = office
        self._accounts = accounts
        self._clock = clock

    async def substitutions(self) -> list[Substitution]:
        """All substitutions that have not ended, by their first day."""
        day = today(self._clock())
        return sorted(
            (substitution for substitution in await self._stored() if substitution.last_day >= day), key=_order
        )

    async def add(self, added: Substitution) -> Substitution:
        """Record a substitution and return it, as a repeat with the same id does.

        Raises: SubstitutionRefused; IdempotencyKeyReused if the id belongs to another one.
        """
        day = today(self._clock())
        accounts = {account.username: account for account in await self._accounts.accounts()}
        for _ in range(MAX_ATTEMPTS):
            stored = await self._load()
            known = (*stored.items, *stored.removed)
            if same := next((substitution for substitution in known if substitution.id == added.id), None):
                if same != added:
                    raise IdempotencyKeyReused(added.id)
                return same
            _check(added, accounts, day)
            if other := next((substitution for substitution in stored.items if substitution.overlaps(added)), None):
                name = accounts[other.substitute].name if other.substitute in accounts else other.substitute
                raise SubstitutionRefused("substitute", "overlapping", name=name, day=other.last_day)
            kept = tuple(
                substitution for substitution in stored.items if (day - substitution.last_day).days <= HISTORY_DAYS
            )
            if await self._save(replace(stored, items=(*kept, added))):
                logger.info("%s stands in for %s by %s", added.substitute, added.username or added.role, added.by)
                return added
        raise EntryConflict(COLLECTION)

    async def remove(self, substitution_id: str, by: str) -> bool:
        """End a substitution at once; False if there is none with this id."""
        for _ in range(MAX_ATTEMPTS):
            stored = await self._load()
            ended = tuple(substitution for substitution in stored.items if substitution.id == substitution_id)
            if not ended:
                return False
            kept = tuple(substitution for substitution in stored.items if substitution.id != substitution_id)
            if await self._save(replace(stored, items=kept, removed=(*stored.removed, *ended)[-MAX_REMOVED:])):
                logger.info("substitution %s ended by %s", substitution_id, by)
                return True
        raise EntryConflict(COLLECTION)

    async def capacities(self, username: str) -> tuple[Capacity, ...]:
        """For whom this person acts today."""
        return tuple(
            [
                await self._capacity(substitution)
                for substitution in await self._active()
                if substitution.substitute == username
            ]
        )

    async def substitutes_of(self, username: str) -> list[tuple[Account, Capacity]]:
        """The active accounts that act for this person today, by username."""
        return await self._substitutes(
            substitution for substitution in await self._active() if substitution.username == username
        )

    async def substitutes_with_role(self, role: Role) -> list[tuple[Account, Capacity]]:
        """The active accounts that have this role as substitutes today, by username."""
        return await self._substitutes(await self._active(), role)

    async def _substitutes(
        self, substitutions: Iterable[Substitution], role: Role | None = None
    ) -> list[tuple[Account, Capacity]]:
        """Return each account with the first of its capacities, or the first that has this role."""
        found: dict[str, tuple[Account, Capacity]] = {}
        for substitution in substitutions:
            account = await self._accounts.account(substitution.substitute)
            if account is None or not account.active or account.username in found:
                continue
            capacity = await self._capacity(substitution)
            if role is None or role in capacity.roles:
                found[account.username] = account, capacity
        return [found[username] for username in sorted(found)]

    async def _capacity(self, substitution: Substitution) -> Capacity:
        if substitution.role is not None:
            return Capacity(substitution.kind, "", substitution.label, (substitution.role,))
        person = await self._accounts.account(substitution.username)
        roles = tuple(role for role in (person.roles if person else ()) if role in REPLACEABLE_ROLES)
        name = person.name if person else substitution.username
        return Capacity(substitution.kind, substitution.username, name, roles)

    async def _active(self) -> list[Substitution]:
        day = today(self._clock())
        return sorted(
            (substitution for substitution in await self._stored() if substitution.is_active(day)), key=_order
        )

    async def _stored(self) -> Sequence[Substitution]:
        return (await self._load()).items

    async def _load(self) -> _Register:
        entry = await self._office.get(COLLECTION, KEY)
        if entry is None:
            return _Register()
        items, removed = entry.body["items"], entry.body.get("removed", [])
        return _Register(tuple(map(_from_json, items)), tuple(map(_from_json, removed)), entry.version)

    async def _save(self, changed: _Register) -> bool:
        """Replace what is stored if it still has this version."""
        body = {"items": list(map(_to_json, changed.items)), "removed": list(map(_to_json, changed.removed))}
        try:
            await self._office.put(COLLECTION, KEY, body, expected=changed.version)
        except EntryConflict:
            return False
        return True


def _check(substitution: Substitution, accounts: Mapping[str, Account], day: date) -> None:
    """Raise SubstitutionRefused if these people or days are not possible."""
    if bool(substitution.username) == (substitution.role is not None):
        raise SubstitutionRefused("username", "person_or_role")
    if substitution.role is not None and substitution.role not in SHARED_ROLES:
        raise SubstitutionRefused("role", "role_of_persons")
    person, substitute = accounts.get(substitution.username), accounts.get(substitution.substitute)
    if substitution.username and (person is None or not set(person.roles) & set(REPLACEABLE_ROLES)):
        raise SubstitutionRefused("username", "no_person")
    if substitute is None or not substitute.active:
        raise SubstitutionRefused("substitute", "no_substitute")
    if substitution.substitute == substitution.username:
        raise SubstitutionRefused("substitute", "same_person")
    if substitution.role is not None and substitution.role in substitute.roles:
        raise SubstitutionRefused("substitute", "has_role")
    if substitution.last_day < substitution.first_day:
        raise SubstitutionRefused("until", "days_reversed")
    if substitution.last_day < day:
        raise SubstitutionRefused("until", "in_the_past")
    if substitution.last_day - substitution.first_day >= timedelta(days=MAX_DAYS):
        raise SubstitutionRefused("until", "too_long", days=MAX_DAYS)


def _order(substitution: Substitution) -> tuple[date, str]:
    return substitution.first_day, substitution.id


def _to_json(substitution: Substitution) -> dict[str, Any]:
    return {
        "id": substitution.id,
        "kind": substitution.kind.value,
        "substitute": substitution.substitute,
        "username": substitution.username,
        "role": substitution.role.value if substitution.role else None,
        "from": substitution.first_day.isoformat(),
        "until": substitution.last_day.isoformat(),
        "by": substitution.by,
        "label": substitution.label,
    }


def _from_json(item: Mapping[str, Any]) -> Substitution:
    return Substitution(
        id=item["id"],
        kind=SubstitutionKind(item["kind"]),
        substitute=item["substitute"],
        username=item["username"],
        role=Role(item["role"]) if item["role"] else None,
        first_day=date.fromisoformat(item["from"]),
        last_day=date.fromisoformat(item["until"]),
        by=item["by"],
        label=item["label"],
    )
