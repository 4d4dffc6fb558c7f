"""The open work of staff, which each service knows of its own requests, and which a successor takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.facts import Staff
from shared.identity.accounts import Role


@dataclass(frozen=True, slots=True)
class OpenWork:
    """An open request for which a person is responsible with this role; `subject` is what it is about."""

    id: str
    number: str
    subject: str
    status: str
    role: Role


class StaffWork(Protocol):
    """The open work of staff in one service; the process that serves the accounts has that of every service."""

    @property
    def role(self) -> Role:
        """The role with which the work is done."""

    @property
    def needs_successor(self) -> bool:
        """Whether somebody has to take the work over; otherwise it can also be left to all who have the role."""

    async def open_work(self, username: str) -> Sequence[OpenWork]:
        """All open work of this person."""

    async def hand_over(self, work: OpenWork, successor: Staff | None, by: Staff, reason: str) -> None:
        """Hand work over, to all who have the role without a successor; what others did to it meanwhile stays."""
