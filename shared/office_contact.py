"""How people reach the office that runs the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfficeContact:
    """Contact details of the office; empty ones are not shown. False if all are empty."""

    phone: str = ""
    email: str = ""
    address: str = ""

    def __bool__(self) -> bool:
        return bool(self.phone or self.email or self.address)

    @property
    def dialable_phone(self) -> str:
        """The phone number for a tel: link."""
        return "".join(letter for letter in self.phone if letter in "+0123456789")


NO_CONTACT = OfficeContact()
"""An office without contact details."""
