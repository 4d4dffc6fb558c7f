"""Password rules (OWASP ASVS 5.0, 6.2) and Argon2id hashes."""

from __future__ import annotations

import asyncio
import re
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH, MAX_LENGTH = 12, 256
MIN_ZXCVBN_SCORE = 2
"""Passwords that zxcvbn rates below this on its scale from 0 to 4 fall to an attack on the sign-in page."""

LOCAL_COMMON_WORDS = re.findall(
    r"\w+",
    "katasandi sandi rahasia bismillah indonesia admin petugas kepala teknis layanan sayang sayangku cinta"
    " akucintakamu akusayangkamu terimakasih selamatpagi selamat pagi merdeka garuda pancasila anjing kucing doraemon"
    " halmahera timur haltim maluku utara malut ternate maba wasile buli kabupaten pemda dinas kominfo diskominfo simpul"
    " senin selasa rabu kamis jumat sabtu minggu januari februari maret april juni juli agustus september oktober"
    " november desember",
)
"""Local words that users build passwords from; the English lists of zxcvbn take them for random letters."""

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def _make_dummy_hash() -> str:
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"


_DUMMY_HASH = _make_dummy_hash()


class WeakPassword(Exception):
    """A refused password; the message (in Indonesian) says why."""


def validate_password(password: str, *user_inputs: str) -> None:
    """Check length and strength; `user_inputs` are facts about the owner that make guessing easier. Raises: WeakPassword."""
    if len(password) < MIN_LENGTH:
        raise WeakPassword(f"Kata sandi paling sedikit {MIN_LENGTH} huruf. Sekarang baru {len(password)}.")
    if len(password) > MAX_LENGTH:
        raise WeakPassword(f"Kata sandi paling banyak {MAX_LENGTH} huruf. Sekarang {len(password)}.")
    if any("\ud800" <= letter <= "\udfff" for letter in password):
        raise WeakPassword("Kata sandi memuat karakter yang tidak sah.")
    if _score(password, user_inputs) < MIN_ZXCVBN_SCORE:
        raise WeakPassword("Kata sandi ini mudah ditebak. Gunakan beberapa kata yang tidak berkaitan.")


def _score(password: str, user_inputs: tuple[str, ...]) -> int:
    from zxcvbn import zxcvbn  # its word lists take 10 MB, and most processes never set a password

    words = [word for text in user_inputs for word in (text, *re.split(r"[\W_]+", text)) if len(word) > 2]
    # zxcvbn takes quadratic time, so only the beginning is rated; more characters can only make a password stronger.
    return int(zxcvbn(password[:72], user_inputs=[*words, *LOCAL_COMMON_WORDS])["score"])


def generate_password() -> str:
    """Generate a random password of 120 bits that is easy to copy."""
    return format_password(secrets.token_hex(15))


def format_password(digits: str) -> str:
    """Format the first 30 of these hexadecimal digits as a password that is easy to copy."""
    return "-".join(digits[start : start + 6] for start in range(0, 30, 6))


async def hash_new_password(password: str, *user_inputs: str) -> str:
    """Validate the password and hash it with Argon2id (64 MiB, three passes) in a thread. Raises: WeakPassword."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _check_and_hash, password, user_inputs)


def _check_and_hash(password: str, user_inputs: tuple[str, ...]) -> str:
    validate_password(password, *user_inputs)
    return _hasher.hash(password)


async def password_matches(password: str, hashed: str | None) -> bool:
    """Whether the hash is of this password; without a hash the call takes the same time."""
    candidate = password[
        : MAX_LENGTH + 1
    ]  # one character more than any password, so that a truncated one never matches
    matches = await asyncio.get_running_loop().run_in_executor(_workers, _verify, candidate, hashed or _DUMMY_HASH)
    return matches and hashed is not None


def _verify(password: str, hashed: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
