"""The page on which administrators set the working days of each stage."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.office.settings import MAX_TARGETS
from shared.text.cleaning import parse_number
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.office.settings import (
    ADMIN,
    MAX_LISTED_MOVES,
    Admin,
    TargetsBody,
    propose_targets,
    save,
)
from shared.web.office.settings_pages import form_version, last_change
from shared.web.views.navigation import SETTINGS
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

PATH, SAVED = f"{SETTINGS}/target", "tersimpan"
SEEN_FIELD = "seen"
"""The targets for which the page has shown what moves."""

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class TargetsPage:
    """The working days of all stages; a change that moves the due day of open requests is saved by a second button."""

    def __init__(self, request: Request, admin: Admin) -> None:
        self._request = request
        self._admin = admin

    async def show(self, posted: PostedForm) -> Response:
        return await self._render(posted)

    async def _render(self, posted: PostedForm, **proposed: Any) -> Response:
        settings = await platform_of(self._request).office_settings.refresh()
        return await templates(
            self._request,
            "targets.html",
            posted=posted,
            targets=settings.targets,
            field_labels={name: templates.words.settings.targets[name][0] for name in MAX_TARGETS},
            version=form_version(posted, len(settings.target_changes)),
            changed=last_change(settings.target_changes),
            saved=SAVED in self._request.query_params and not posted.sent,
            **{"moved": (), **proposed},
        )

    async def submit(self, posted: PostedForm) -> Response:
        days = posted.validate(TargetsBody, SEEN_FIELD, version=None).as_days()
        change = await propose_targets(self._request, self._admin, days, parse_number(posted.text("version")))
        shown = " ".join(map(str, days.values()))
        if change.moved and posted.text(SEEN_FIELD) != shown:
            moved = change.moved[:MAX_LISTED_MOVES]
            return await self._render(posted, seen=shown, moved=moved, moved_count=len(change.moved))
        await save(self._request, change.proposal)
        return see_other(f"{PATH}?{SAVED}")


add_form_page(router, PATH, TargetsPage, ADMIN)
