"""The office that answers for the service, as people can reach it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfficeContact:
    """How to reach the office; what is empty is not offered. False if there is no way at all."""

    phone: str = ""
    email: str = ""
    address: str = ""

    def __bool__(self) -> bool:
        return bool(self.phone or self.email or self.address)

    @property
    def dialable_phone(self) -> str:
        """The phone number as a link dials it."""
        return "".join(letter for letter in self.phone if letter in "+0123456789")


NO_CONTACT = OfficeContact()
"""An office that says nowhere how to reach it."""
