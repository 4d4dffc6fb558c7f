"""Dependencies of intake's handlers: the service, and the request that the caller holds the tracking token of."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from services.intake.domain.state import State
from services.intake.errors import NOT_FOUND
from services.intake.service import IntakeService
from shared.runtime.executor import Loaded
from shared.web.api.idempotency import CommandContext, command_context
from shared.web.api.problems import Problem
from shared.web.auth.access import tracking_token
from shared.web.dependencies import provide

get_intake = provide(IntakeService)

Intake = Annotated[IntakeService, Depends(get_intake)]
Context = Annotated[CommandContext, Depends(command_context)]


async def _request_of_bearer(
    number: str, token: Annotated[str, Depends(tracking_token)], intake: Intake
) -> Loaded[State]:
    """Load the request of an API call by its bearer token. Raises Problem 404."""
    loaded = await intake.find_request(number, token)
    if loaded is None:
        raise Problem(404, NOT_FOUND)
    return loaded


async def _request_of_cookie(number: str, request: Request, intake: Intake) -> Loaded[State] | None:
    """Load the request of a page by the tracking cookie; None without a valid one, which pages answer with their own 404."""
    return await intake.find_request(number, tracking_cookie(request, intake))


TrackedRequest = Annotated[Loaded[State], Depends(_request_of_bearer)]
TrackedRequestOrNone = Annotated[Loaded[State] | None, Depends(_request_of_cookie)]


async def require_tracking_cookie(request: Request) -> None:
    """Refuse a page call without a valid tracking cookie before its body is read. Raises Problem 404."""
    if await _request_of_cookie(request.path_params["number"], request, get_intake(request)) is None:
        raise Problem(404, NOT_FOUND)


def tracking_path(number: str) -> str:
    return f"/lacak/{number}"


def tracking_cookie(request: Request, intake: IntakeService) -> str:
    """Return the tracking token of the browser's cookie, "" without one."""
    return request.cookies.get(_cookie_name(intake), "")


def set_tracking_cookie(response: Response, intake: IntakeService, number: str, token: str) -> None:
    """Let this browser open the pages of one request."""
    secure = intake.platform.settings.tls
    response.set_cookie(
        _cookie_name(intake), token, path=tracking_path(number), secure=secure, httponly=True, samesite="lax"
    )


def _cookie_name(intake: IntakeService) -> str:
    return "__Secure-lacak" if intake.platform.settings.tls else "lacak"
