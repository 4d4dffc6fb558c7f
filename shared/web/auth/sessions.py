"""Sign-in and session cookies, for the API and for pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from prometheus_client import Counter
from pydantic import ConfigDict, Field, SecretStr

from shared.identity.login_attempts import TooManyFailures
from shared.identity.principal import Principal
from shared.identity.service import MAX_SESSION_AGE, InvalidCredentials
from shared.web.api.problems import Problem
from shared.web.api.validation import RequestBody
from shared.web.auth.access import session_cookie, session_cookie_name
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import STRIP_INVISIBLE
from shared.web.http.client_address import client_address, client_network

SIGN_INS = Counter("simpul_sign_ins_total", "Sign-in attempts by outcome", ["outcome"])
for _outcome in ("accepted", "refused", "limited"):
    SIGN_INS.labels(_outcome)

Password = Annotated[SecretStr, Field(max_length=1024)]


class UnstrippedBody(RequestBody):
    """A body whose texts are not stripped, because spaces at the ends belong to a password."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Credentials(UnstrippedBody):
    username: Annotated[str, Field(max_length=200), STRIP_INVISIBLE]
    password: Password
    code: Annotated[str, Field(max_length=20), STRIP_INVISIBLE] = ""


async def new_session(request: Request, credentials: Credentials) -> tuple[str, Principal]:
    """Open a session in place of the browser's current one; return its token and principal. Raises: Problem 401, 429."""
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
    """Set the session cookie."""
    tls = platform_of(request).settings.tls
    response.set_cookie(
        session_cookie_name(request), token, max_age=seconds, path="/", secure=tls, httponly=True, samesite="lax"
    )
    response.headers["Cache-Control"] = "no-store"


def clear_session_cookie(request: Request, response: Response) -> None:
    set_session_cookie(request, response, "", 0)


def rate_limit_network(request: Request) -> str:
    """Return the client's network, under which attempts are counted."""
    return client_network(client_address(request))


def session_response(principal: Principal) -> dict[str, Any]:
    roles = list(principal.roles)
    return {"username": principal.username, "name": principal.name, "roles": roles, "csrf": principal.csrf}
