"""Sessions over HTTP, for programs and pages alike: what opens one, and the cookie by which a browser shows it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from prometheus_client import Counter
from pydantic import ConfigDict, Field, SecretStr

from shared.identity.login_attempts import TooManyFailures
from shared.identity.service import MAX_SESSION_AGE, InvalidCredentials, Principal
from shared.web.api.problems import Problem
from shared.web.api.validation import RequestBody
from shared.web.auth.access import session_cookie, session_cookie_name
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import STRIP_INVISIBLE
from shared.web.http.client_address import client_address, client_network

SIGN_INS = Counter("simpul_sign_ins_total", "Tries to sign in, by outcome", ["outcome"])
for _outcome in ("accepted", "refused", "limited"):
    SIGN_INS.labels(_outcome)

Password = Annotated[SecretStr, Field(max_length=1024)]


class UnstrippedBody(RequestBody):
    """Nothing is stripped: blanks at the ends belong to a password."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Credentials(UnstrippedBody):
    username: Annotated[str, Field(max_length=200), STRIP_INVISIBLE]
    password: Password
    code: Annotated[str, Field(max_length=20), STRIP_INVISIBLE] = ""


async def new_session(request: Request, credentials: Credentials) -> tuple[str, Principal]:
    """A session instead of the one that this browser had: its token, and whose it is. Raises Problem 401 and 429."""
    identity = platform_of(request).identity
    password = credentials.password.get_secret_value()
    try:
        token, principal = await identity.sign_in(
            credentials.username, password, credentials.code, rate_limit_network(request)
        )
    except InvalidCredentials as error:
        SIGN_INS.labels("refused").inc()
        raise Problem(401, "Nama pengguna, kata sandi, atau kode tidak cocok.") from error
    except TooManyFailures as error:
        SIGN_INS.labels("limited").inc()
        raise too_many_attempts(error) from error
    SIGN_INS.labels("accepted").inc()
    if before := session_cookie(request):
        await identity.revoke_session(before)
    return token, principal


def too_many_attempts(error: TooManyFailures) -> Problem:
    minutes = -(-error.retry_after_seconds // 60)
    sentence = f"Terlalu banyak percobaan masuk yang gagal. Coba lagi dalam {minutes} menit."
    return Problem(429, sentence, headers={"Retry-After": str(error.retry_after_seconds)})


def set_session_cookie(
    request: Request, response: Response, token: str, seconds: int = int(MAX_SESSION_AGE.total_seconds())
) -> None:
    """The cookie by which a browser shows its session."""
    tls = platform_of(request).settings.tls
    response.set_cookie(
        session_cookie_name(request), token, max_age=seconds, path="/", secure=tls, httponly=True, samesite="lax"
    )
    response.headers["Cache-Control"] = "no-store"


def clear_session_cookie(request: Request, response: Response) -> None:
    set_session_cookie(request, response, "", 0)


def rate_limit_network(request: Request) -> str:
    """The network for which tries are counted."""
    return client_network(client_address(request))


def session_response(principal: Principal) -> dict[str, Any]:
    roles = list(principal.roles)
    return {"username": principal.username, "name": principal.name, "roles": roles, "csrf": principal.csrf}
