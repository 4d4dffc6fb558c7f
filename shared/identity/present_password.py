"""The present password, which is asked for whenever somebody replaces the own one: what is answered where it is not given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pydantic import SecretStr

from shared.identity.identity import SignInRefused
from shared.identity.login_attempts import TooManyFailures
from shared.identity.sessions import too_many_failures
from shared.web.bodies import FieldError
from shared.web.problems import Problem, invalid

NEEDED = "Tulis juga kata sandi Anda yang sekarang."
NEW_NEEDED = "Tulis kata sandi yang baru."
MISMATCH = "Kata sandi sekarang tidak cocok."
NOT_OWN = "Kata sandi sekarang hanya ditulis untuk mengganti kata sandi Anda sendiri."
ENDED = "Sesi Anda berakhir. Silakan masuk lagi."


def missing_passwords(new: SecretStr | None, present: SecretStr | None) -> dict[str, str | None]:
    """What is wrong with the two fields together, by field."""
    return {
        "current_password": NEEDED if new and not present else None,
        "password": NEW_NEEDED if present and not new else None,
    }


@contextlib.contextmanager
def refusals_answered() -> Iterator[None]:
    """A present password that is wrong, or was wrong too often, as Problem 422 or 429."""
    try:
        yield
    except SignInRefused as error:
        raise invalid([FieldError("current_password", MISMATCH)]) from error
    except TooManyFailures as error:
        raise too_many_failures(error) from error


def session_ended() -> Problem:
    return Problem(401, ENDED)
