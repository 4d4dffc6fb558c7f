"""The page on which members of staff choose when they are mailed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.notification.account_api import Preferences, Staff, change_timings
from services.notification.errors import WORDS
from services.notification.preferences import TIMINGS, Timing, moments_of
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import OWN_ACCOUNT
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

PATH = f"{OWN_ACCOUNT}/notifikasi"
SAVED = "tersimpan"

templates = AdminTemplates("services.notification")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class NotificationsPage:
    """The form with one choice for each moment of the roles of the signed-in member of staff."""

    def __init__(self, request: Request, staff: Staff, preferences: Preferences) -> None:
        self._request = request
        self._staff = staff
        self._preferences = preferences

    async def show(self, posted: PostedForm) -> Response:
        moments = await self._preferences.describe(self._staff.username, self._staff.roles)
        context: dict[str, Any] = {
            "moments": [{**moment, "options": _options(moment["choices"])} for moment in moments],
            "saved": SAVED in self._request.query_params and not posted.sent,
            "own_account": OWN_ACCOUNT,
        }
        return await templates(self._request, "notifications.html", posted=posted, **context)

    async def submit(self, posted: PostedForm) -> Response:
        chosen = {moment: posted.text(moment) for moment in moments_of(self._staff.roles) if posted.text(moment)}
        known = {moment: timing for moment, timing in chosen.items() if timing in TIMINGS}
        await change_timings(self._preferences, self._staff, known)
        return see_other(f"{PATH}?{SAVED}")


def _options(choices: Sequence[Timing]) -> list[tuple[str, str]]:
    labels: Any = WORDS.preferences.timings
    return [(choice, labels[choice]) for choice in choices]


add_form_page(router, PATH, NotificationsPage, signed_in())
