"""Email addresses: which are accepted as recipients, and how they are masked."""

from __future__ import annotations

import re

MAX_ADDRESS_LENGTH = 254
_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_ADDRESS = re.compile(rf"{_DOT_ATOM}@{_HOST}")
_ADDRESS_LIKE = re.compile(r"(?<![^\s<>\"'(),:;])[^\s<>\"'(),:;@]*@[^\s<>\"'(),:;]*")


def is_address(text: str) -> bool:
    """Return whether it is a plain ASCII address (RFC 5321 without quoted local parts and address literals)."""
    return len(text) <= MAX_ADDRESS_LENGTH and _ADDRESS.fullmatch(text) is not None


def mask_address(address: str) -> str:
    """Return `rahmat@dinas.example` as `r***@dinas.example`: recognisable, but of no use to a stranger."""
    local, at, host = address.rpartition("@")
    return f"{local[:1]}***{at}{host}"


def mask_addresses(text: str) -> str:
    """Mask everything in the text that looks like an address."""
    return _ADDRESS_LIKE.sub(lambda found: mask_address(found.group()), text)
