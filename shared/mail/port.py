"""What every mailer promises: one message is handed over once, and the outcome says what may be done next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import getaddresses, parseaddr
from typing import Literal, Protocol

from shared.mail.address import is_address

AUTO_SUBMITTED_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
"""Asks absence notes and other robots not to answer (RFC 3834)."""

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
    """A header field that cannot be sent as it is; the sentence names the field, never its content."""


@dataclass(frozen=True, slots=True)
class Email:
    """A letter ready to go. `message_id` and `date` come from the event, so that a repeat is the same message.

    `to` holds plain addresses, `sender` and `reply_to`, which may be empty, an address with or without a name; `date` has a
    zone. `thread_id` is the id that all messages of one conversation name as what they answer; no message needs to have it.
    Raises BadHeader for anything that could break out of its header field.
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


def is_mailbox(text: str) -> bool:
    """Whether it is an address, with or without a name, that can stand in a header field."""
    return not _FORBIDDEN.search(text) and len(getaddresses([text])) == 1 and is_address(parseaddr(text)[1])


def is_header_text(text: str) -> bool:
    """Whether it holds nothing that could end a line."""
    return not _FORBIDDEN.search(text)


def _check_field(name: str, value: str) -> None:
    if not _FIELD.fullmatch(name) or name.lower() in _RESERVED_FIELDS or _FORBIDDEN.search(value):
        raise InvalidHeader("Kepala surel memuat tanda yang tidak diizinkan.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one hand-over. `reason` is a sentence for people, with at most masked addresses in it.

    sent: accepted, for all recipients or, as `reason` then says, for some. temporary: surely not accepted, try again.
    permanent: refused, and another try would be refused too. unknown: perhaps accepted, a repeat may be a second copy.
    """

    kind: Literal["sent", "temporary", "permanent", "unknown"]
    reason: str = ""


class Mailer(Protocol):
    """Hands messages over. Failures of the way or the server are outcomes, not exceptions."""

    async def send(self, email: Email) -> Outcome: ...

    async def ready(self) -> bool:
        """Whether a message could be handed over now."""
        ...

    async def close(self) -> None:
        """Let go of what is open; a send afterwards opens it again."""
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
    """How long to wait after this many tries; None when 72 hours of trying would be over before the next."""
    if tries < 1:
        raise ValueError("a pause follows a try")
    if tries <= len(_FIRST_DELAYS):
        return _FIRST_DELAYS[tries - 1]
    waited = sum(_FIRST_DELAYS, timedelta()) + (tries - len(_FIRST_DELAYS)) * _HOUR
    return _HOUR if waited <= _GIVE_UP_AFTER else None
