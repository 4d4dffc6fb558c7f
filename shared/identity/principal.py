"""Who makes a call: a signed-in member of staff, in one of their capacities."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from shared.contracts.facts import Staff
from shared.identity.accounts import Role
from shared.identity.substitutes import Capacity


@dataclass(frozen=True, slots=True)
class Principal:
    """The staff member who makes a call, with the CSRF token of the session.

    `roles` includes those as a substitute; `capacity` is the one in which this call is made, None for the own one.
    """

    username: str
    name: str
    roles: tuple[Role, ...]
    token_hash: str
    csrf: str
    own_roles: tuple[Role, ...] = ()
    capacities: tuple[Capacity, ...] = ()
    capacity: Capacity | None = None

    @property
    def staff(self) -> Staff:
        """How an event names this person in the capacity of this call."""
        if self.capacity is None:
            return Staff(username=self.username, name=self.name)
        name = self.capacity.name_of(self.name)
        return Staff(username=self.username, name=name, acting_for=self.capacity.username)

    def with_roles(self, roles: frozenset[Role]) -> Principal:
        """In the own capacity if that has one of the roles, otherwise as the substitute who has one."""
        if not roles or roles & set(self.own_roles):
            return self
        capacity = next((capacity for capacity in self.capacities if roles & set(capacity.roles)), None)
        return replace(self, capacity=capacity)

    def usernames_for(self, role: Role) -> tuple[str, ...]:
        """The usernames of those whose work with this role is this person's: the own one, and those of absent persons."""
        own = [self.username] if role in self.own_roles else []
        persons = [capacity.username for capacity in self.capacities if capacity.username and role in capacity.roles]
        return tuple(dict.fromkeys((*own, *persons)))

    def acting_for(self, username: str) -> Principal:
        """In the capacity of acting for this person; in the own one if it is this person, or one for whom nobody acts."""
        capacity = next((capacity for capacity in self.capacities if capacity.username == username), None)
        return replace(self, capacity=None if username == self.username else capacity)

    def verify_csrf(self, csrf: str) -> bool:
        """Whether this is the CSRF token of the session; the comparison takes constant time."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())

    def has_role(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)
