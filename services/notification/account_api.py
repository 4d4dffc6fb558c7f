"""The JSON API of a staff member's own notifications."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.notification.errors import WORDS
from services.notification.preferences import NotificationPreferences, Timing, choices_of, moments_of
from shared.identity.principal import Principal
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError, RequestBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import provide
from shared.web.forms.text_fields import STRIP_INVISIBLE

router = APIRouter(prefix="/api/account", tags=["notification"], route_class=GuardedRoute)

Staff = Annotated[Principal, Depends(signed_in())]
Preferences = Annotated[NotificationPreferences, Depends(provide(NotificationPreferences))]


class MomentResponse(BaseModel):
    """A moment that is mailed at once (`now`), in the daily digest (`digest`) or not (`never`)."""

    moment: str
    label: str
    timing: Timing
    choices: list[Timing]


class NotificationsResponse(BaseModel):
    """The moments that members of one's roles can choose for."""

    moments: list[MomentResponse]


class NotificationsBody(RequestBody):
    """The timing of moments by their names; that of others stays."""

    moments: dict[Annotated[str, STRIP_INVISIBLE], Timing]


@router.get("/notifications", response_model=NotificationsResponse)
async def show_notifications(staff: Staff, preferences: Preferences) -> dict[str, Any]:
    """Show when each moment is mailed to the caller."""
    return {"moments": await preferences.describe(staff.username, staff.roles)}


@router.patch("/notifications", response_model=NotificationsResponse)
async def change_notifications(body: NotificationsBody, staff: Staff, preferences: Preferences) -> dict[str, Any]:
    """Choose which moments are mailed at once, in the daily digest, or not."""
    await change_timings(preferences, staff, body.moments)
    return {"moments": await preferences.describe(staff.username, staff.roles)}


async def change_timings(preferences: NotificationPreferences, staff: Principal, timings: dict[str, Timing]) -> None:
    """Store the timings of moments of this person's roles. Raises Problem 422."""
    words: Any = WORDS.preferences
    known, errors = moments_of(staff.roles), []
    for moment, timing in timings.items():
        if moment not in known:
            errors.append(FieldError(f"moments.{moment}", words.unknown))
        elif timing not in choices_of(moment):
            errors.append(FieldError(f"moments.{moment}", words.choice.format(choices=", ".join(choices_of(moment)))))
    if errors:
        raise validation_problem(errors)
    await preferences.update(staff.username, timings)
