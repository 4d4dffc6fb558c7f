"""Passwords: what is refused (ASVS 5.0, 6.2), and Argon2id hashes of what is not."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256
GUESSABLE_BELOW = 2
"""Passwords that zxcvbn rates below this on its scale from 0 to 4 fall to an attack on the sign-in page."""

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_abreast = asyncio.Semaphore(2)
_NOBODY = _hasher.hash(secrets.token_urlsafe(24))


class WeakPassword(Exception):
    """A password that is refused, with the sentence that says why."""


def check_password(password: str, *known: str) -> None:
    """Raises WeakPassword if it is too short, too long, or easily guessed, also from what is `known` of its owner."""
    if len(password) < SHORTEST:
        raise WeakPassword(f"Kata sandi paling sedikit {SHORTEST} huruf. Sekarang baru {len(password)}.")
    if len(password) > LONGEST:
        raise WeakPassword(f"Kata sandi paling banyak {LONGEST} huruf. Sekarang {len(password)}.")
    from zxcvbn import zxcvbn  # its word lists take 10 MB, and most processes never set a password

    if zxcvbn(password[:72], user_inputs=[*known, "simpul", "diskominfo", "halmahera"])["score"] < GUESSABLE_BELOW:
        raise WeakPassword("Kata sandi ini mudah ditebak. Gunakan beberapa kata yang tidak berkaitan.")


def make_password() -> str:
    """A random password of 120 bits, easy to copy."""
    return "-".join(secrets.token_hex(3) for _ in range(5))


async def hash_password(password: str) -> str:
    """Argon2id, 64 MiB, three passes, in a thread."""
    async with _abreast:
        return await asyncio.to_thread(_hasher.hash, password)


async def password_matches(password: str, hashed: str | None) -> bool:
    """Whether it is the password; takes the same time if there is no account to compare with."""
    async with _abreast:
        matches = await asyncio.to_thread(_verify, password[: LONGEST + 1], hashed or _NOBODY)
    return matches and hashed is not None


def _verify(password: str, hashed: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
