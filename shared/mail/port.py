"""The mailer port: emails, outcomes of sending them, and the delays between attempts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import getaddresses, parseaddr
from functools import lru_cache
from typing import Literal, Protocol

from shared.mail.address import is_address

AUTO_SUBMITTED_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
"""Headers that ask autoresponders not to reply (RFC 3834)."""

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._+-]{1,120}(@[A-Za-z0-9.-]{1,120})?")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_RESERVED_FIELDS = frozenset(
    {
        *("from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references"),
        *("mime-version", "content-type"),
    }
)


class InvalidHeader(ValueError):
    """A header that cannot be sent safely. The message names the header, never its value."""


@dataclass(frozen=True, slots=True)
class Email:
    """An email that is ready to be sent.

    `message_id` and `date` come from the event, so that a repeat is the same message. `to` contains plain addresses;
    `sender` and `reply_to` (may be empty) are addresses with or without a name; `date` has a time zone. `thread_id` is the id
    that all messages of a conversation name as their parent; no message needs to have it. Raises InvalidHeader for a value
    that could break out of its header.
    """

    message_id: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    sender: str
    date: datetime
    reply_to: str = ""
    thread_id: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: AUTO_SUBMITTED_HEADERS)

    def __post_init__(self) -> None:
        if not self.to or not all(is_address(address) for address in self.to):
            raise InvalidHeader("Alamat surel penerima tidak sah.")
        if not is_mailbox(self.sender):
            raise InvalidHeader("Alamat surel pengirim tidak sah.")
        if self.reply_to and not is_mailbox(self.reply_to):
            raise InvalidHeader("Alamat surel untuk balasan tidak sah.")
        if _FORBIDDEN.search(self.subject):
            raise InvalidHeader("Perihal surel memuat tanda yang tidak diizinkan.")
        ids = (self.message_id, self.thread_id or self.message_id)
        if not all(map(_MESSAGE_ID.fullmatch, ids)) or self.date.tzinfo is None:
            raise InvalidHeader("Tanda pengenal atau waktu surel tidak sah.")
        for name, value in self.headers.items():
            _check_field(name, value)


@lru_cache(maxsize=256)
def is_mailbox(text: str) -> bool:
    """Return whether it is an address, with or without a name, that is safe in a header."""
    return not _FORBIDDEN.search(text) and len(getaddresses([text])) == 1 and is_address(parseaddr(text)[1])


def is_header_text(text: str) -> bool:
    """Return whether it contains no character that could end a header line."""
    return not _FORBIDDEN.search(text)


def _check_field(name: str, value: str) -> None:
    if not _FIELD.fullmatch(name) or name.lower() in _RESERVED_FIELDS or _FORBIDDEN.search(value):
        raise InvalidHeader("Kepala surel memuat tanda yang tidak diizinkan.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt to send; `reason` is shown to users and masks addresses.

    sent: accepted for all recipients or, as `reason` then says, for some. temporary: not accepted, may be retried.
    permanent: refused, and a retry would be refused too. unknown: possibly accepted, so that a retry may be a second copy.
    """

    kind: Literal["sent", "temporary", "permanent", "unknown"]
    reason: str = ""


class Mailer(Protocol):
    """Sends emails. Failures of the network and the server are outcomes, not exceptions."""

    async def send(self, email: Email) -> Outcome: ...

    async def ready(self) -> bool:
        """Return whether an email could be sent now."""
        ...

    async def close(self) -> None:
        """Close open connections and files; a later `send` opens them again."""
        ...


_FIRST_DELAYS = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(minutes=30),
)
_HOUR = timedelta(hours=1)
_GIVE_UP_AFTER = timedelta(hours=72)


def retry_delay(tries: int) -> timedelta | None:
    """Return the delay after this many attempts; None if the next one would be more than 72 hours after the first."""
    if tries < 1:
        raise ValueError("there is no delay before the first attempt")
    if tries <= len(_FIRST_DELAYS):
        return _FIRST_DELAYS[tries - 1]
    waited = sum(_FIRST_DELAYS, timedelta()) + (tries - len(_FIRST_DELAYS)) * _HOUR
    return _HOUR if waited <= _GIVE_UP_AFTER else None
