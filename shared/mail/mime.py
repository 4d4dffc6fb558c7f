"""Emails as MIME messages: plain text and HTML as alternatives, within the line limits of RFC 5322.

The standard library encodes the values; the message is put together here, because its policies parse and refold every header,
which takes fifty times as long.
"""

from __future__ import annotations

from binascii import b2a_qp
from email.header import Header
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from hashlib import sha256

from shared.mail.port import Email

_MAX_LINE_LENGTH = 76


def build_message(email: Email) -> bytes:
    """Return the message with CR LF line endings; equal emails give equal bytes."""
    # No quoted-printable text contains "=_", so this boundary cannot occur in a part.
    boundary = f"=_{sha256(email.message_id.encode()).hexdigest()[:24]}"
    headers = "".join(f"{name}: {value}\r\n" for name, value in _headers(email, boundary).items())
    parts = f"--{boundary}\r\n".join(("", _part("plain", email.text), _part("html", email.html)))
    return f"{headers}\r\n{parts}--{boundary}--\r\n".encode("ascii")


def sender_address(email: Email) -> str:
    """Return the address of the sender without its name, for the envelope."""
    return _parse_mailbox(email.sender)[1]


def _headers(email: Email, boundary: str) -> dict[str, str]:
    return {
        "Date": format_datetime(email.date),
        "From": _mailbox(email.sender, "From"),
        **({"Reply-To": _mailbox(email.reply_to, "Reply-To")} if email.reply_to else {}),
        "To": ",\r\n ".join(email.to),
        "Message-ID": _message_id(email.message_id, email.sender),
        **_thread_headers(email),
        "Subject": _unstructured(email.subject, "Subject"),
        **{name: _unstructured(value, name) for name, value in email.headers.items()},
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }


def _thread_headers(email: Email) -> dict[str, str]:
    """Return the headers by which mail clients group the messages of a conversation."""
    if not email.thread_id:
        return {}
    root = _message_id(email.thread_id, email.sender)
    return {"In-Reply-To": root, "References": root}


def _message_id(local_id: str, sender: str) -> str:
    host = "" if "@" in local_id else "@" + _parse_mailbox(sender)[1].rpartition("@")[2]
    return f"<{local_id}{host}>"


@lru_cache(maxsize=16)
def _parse_mailbox(text: str) -> tuple[str, str]:
    return parseaddr(text)


@lru_cache(maxsize=16)
def _mailbox(text: str, header: str) -> str:
    name, address = _parse_mailbox(text)
    return f"{_encoded(name, header)}\r\n <{address}>" if name else address


def _unstructured(value: str, header: str) -> str:
    value = value.strip()
    fits = value.isascii() and len(header) + len(": ") + len(value) <= _MAX_LINE_LENGTH
    return value if fits and "=?" not in value else _encoded(value, header)


def _encoded(value: str, header: str) -> str:
    """Return the value as encoded words (RFC 2047)."""
    return Header(value, "utf-8", _MAX_LINE_LENGTH, header).encode(linesep="\r\n")


def _part(subtype: str, text: str) -> str:
    # str.splitlines would also split at characters that end no line in an email.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n") + "\r\n"
    content = b2a_qp(lines.encode("utf-8", "replace"), istext=True).decode("ascii")
    return f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{content}\r\n"
