"""Errors about the current password, which is required to change one's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pydantic import SecretStr

from shared.identity.login_attempts import TooManyFailures
from shared.identity.service import InvalidCredentials
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.sessions import too_many_attempts

CURRENT_REQUIRED = "Tulis juga kata sandi Anda yang sekarang."
NEW_REQUIRED = "Tulis kata sandi yang baru."
MISMATCH = "Kata sandi sekarang tidak cocok."
NOT_OWN_ACCOUNT = "Kata sandi sekarang hanya ditulis untuk mengganti kata sandi Anda sendiri."
SESSION_EXPIRED = "Sesi Anda berakhir. Silakan masuk lagi."


def password_pair_errors(new: SecretStr | None, current: SecretStr | None) -> dict[str, str | None]:
    """Return the errors of the two password fields together, by field."""
    return {
        "current_password": CURRENT_REQUIRED if new and not current else None,
        "password": NEW_REQUIRED if current and not new else None,
    }


@contextlib.contextmanager
def password_errors_as_problems() -> Iterator[None]:
    """Turn a wrong current password into Problem 422, and too many wrong ones into Problem 429."""
    try:
        yield
    except InvalidCredentials as error:
        raise validation_problem([FieldError("current_password", MISMATCH)]) from error
    except TooManyFailures as error:
        raise too_many_attempts(error) from error


def session_expired() -> Problem:
    return Problem(401, SESSION_EXPIRED)
