"""A letter as bytes on the wire: text and HTML side by side, quoted-printable, every line within the limits of RFC 5322.

Written by hand because the standard library's generator takes twenty times as long; the tests read the result back with its parser.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import b2a_qp
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from hashlib import sha256

from shared.mail.port import Email

_LINE = 76
_WORD = 42
"""Bytes in one encoded word: 56 characters in base64, with its frame and a header's name still one line."""

_PART = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_TEXT_HEAD, _HTML_HEAD = _PART.format("plain").encode(), _PART.format("html").encode()


def build_message(email: Email) -> bytes:
    """The whole message with CR LF line ends; the same letter gives the same bytes."""
    digest = sha256(email.message_id.encode()).hexdigest()
    # No quoted-printable body can hold "=_", so that a boundary with it occurs in none.
    boundary = f"=_{digest[:24]}"
    frame = f"--{boundary}".encode()
    return b"".join(
        (
            _head(email, boundary).encode("ascii"),
            *(frame, b"\r\n", _TEXT_HEAD, _quoted(email.text)),
            *(b"\r\n", frame, b"\r\n", _HTML_HEAD, _quoted(email.html)),
            *(b"\r\n", frame, b"--\r\n"),
        )
    )


def message_id(email: Email) -> str:
    """The id with the angle brackets and, unless it brings one, the host of the sender."""
    return _whole_id(email.message_id, email.sender)


def _whole_id(bare: str, sender: str) -> str:
    host = "" if "@" in bare else "@" + _sender(sender)[1].rpartition("@")[2]
    return f"<{bare}{host}>"


def sender_address(email: Email) -> str:
    """The bare address of the sender, for the envelope."""
    return _sender(email.sender)[1]


def _head(email: Email, boundary: str) -> str:
    fields = [
        f"Date: {format_datetime(email.date)}",
        f"From: {_sender(email.sender)[0]}",
        *([f"Reply-To: {_sender(email.reply_to)[0]}"] if email.reply_to else []),
        f"To: {_listed(email.to)}",
        f"Message-ID: {message_id(email)}",
        *_thread(email),
        f"Subject: {_unstructured(email.subject, len('Subject: '))}",
        *(f"{name}: {_unstructured(value, len(name) + 2)}" for name, value in email.headers.items()),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    return "\r\n".join(fields) + "\r\n\r\n"


def _thread(email: Email) -> list[str]:
    """What makes mail programs show all messages of a conversation as one."""
    if not email.thread_id:
        return []
    root = _whole_id(email.thread_id, email.sender)
    return [f"In-Reply-To: {root}", f"References: {root}"]


@lru_cache(maxsize=16)
def _sender(text: str) -> tuple[str, str]:
    name, address = parseaddr(text)
    if not name:
        return address, address
    if name.isascii() and len(name) < _WORD and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"\r\n <{address}>', address
    return f"{_encoded(name)}\r\n <{address}>", address


def _listed(addresses: tuple[str, ...]) -> str:
    return ",\r\n ".join(addresses)


def _unstructured(value: str, used: int) -> str:
    value = value.strip()
    if value.isascii() and used + len(value) <= _LINE and "=?" not in value:
        return value
    return _encoded(value)


def _encoded(value: str) -> str:
    """As encoded words (RFC 2047), none of which cuts a character in two."""
    words, word = [], b""
    for character in value:
        encoded = character.encode()
        if len(word) + len(encoded) > _WORD:
            words.append(word)
            word = b""
        word += encoded
    return "\r\n ".join(f"=?utf-8?b?{b64encode(part).decode()}?=" for part in (*words, word))


def _quoted(text: str) -> bytes:
    # splitlines would also cut at characters that are no line ends in a mail.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n") + "\r\n"
    return b2a_qp(lines.encode("utf-8", "replace"), istext=True)
