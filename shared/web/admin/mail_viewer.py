"""The mail viewer: letters that are kept as files, for whoever may read those files. Where they are sent, it does not exist."""

from __future__ import annotations

import re
from email.message import EmailMessage

from fastapi import APIRouter, Depends
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.backends.platform import Platform
from shared.identity.accounts import Role
from shared.mail.folder import EmailNotFound, FolderMailer, parse_email
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import Problem
from shared.web.auth.access import public, signed_in
from shared.web.http.loopback import require_loopback_host
from shared.web.views.navigation import MAIL_VIEWER
from shared.web.views.page_routes import PageRoute

_page = AdminTemplates("shared.web.views")

PAGE_SIZE = 50
EMAIL_CSP = (
    "sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
"""A letter comes from elsewhere: it has no script, no form, no picture from anywhere, and no part in our origin."""
LINK_TARGET_TOP = '<base target="_top">'

_LINK = re.compile(r"https?://[^\s<>\"']+")
_AFTER_LINK = ".,;:!?)]"
_HEAD = re.compile(r"<head[^<>]*>", re.IGNORECASE)


def pages(platform: Platform) -> APIRouter:
    """Routes under /surel, if e-mails are kept as files: for everybody at this machine, or else for administrators."""
    settings, mailer = platform.settings, platform.mailer
    # Whoever reads without an account is at this machine; everybody else's browser has a cookie of its site to show.
    at_this_machine = [Depends(public()), Depends(require_loopback_host)]
    readers = at_this_machine if settings.mail_viewer_open else [Depends(signed_in(Role.ADMIN))]
    routes = APIRouter(prefix=MAIL_VIEWER, route_class=PageRoute, include_in_schema=False, dependencies=readers)
    if not settings.mail_viewer or not isinstance(mailer, FolderMailer):
        return APIRouter()

    @routes.get("")
    async def letters(request: Request, before: str = "", after: str = "") -> Response:
        found = await mailer.list_messages(before, PAGE_SIZE + 1, after=after)
        more = len(found) > PAGE_SIZE
        shown = found[-PAGE_SIZE:] if after else found[:PAGE_SIZE]
        older = f"{MAIL_VIEWER}?before={shown[-1].name}" if shown and (more or after) else ""
        newer = f"{MAIL_VIEWER}?after={shown[0].name}" if shown and (more if after else before) else ""
        return await _page(request, "letters.html", letters=shown, next=older, previous=newer)

    @routes.get("/{name}")
    async def letter(request: Request, name: str) -> Response:
        mail = await _read(mailer, name)
        text, html = _part(mail, "plain"), _part(mail, "html")
        return await _page(request, "letter.html", mail=mail, name=name, text=linkify(text), html=bool(html))

    @routes.get("/{name}/html")
    async def html_part(name: str) -> Response:
        html = _part(await _read(mailer, name), "html")
        return HTMLResponse(_open_links_in_top_window(html), headers={"Content-Security-Policy": EMAIL_CSP})

    return routes


async def _read(mailer: FolderMailer, name: str) -> EmailMessage:
    try:
        return parse_email(await mailer.read(name))
    except EmailNotFound as error:
        raise Problem(404, _page.words.mail.missing) from error


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _open_links_in_top_window(html: str) -> str:
    """Links open in the window and not in the frame, which shows letters alone."""
    rewritten, found = _HEAD.subn(lambda head: head.group() + LINK_TARGET_TOP, html, count=1)
    return rewritten if found else LINK_TARGET_TOP + html


def linkify(text: str) -> Markup:
    """The text with its addresses to be followed."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        link = found.group().rstrip(_AFTER_LINK)
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(link)]
        end = found.start() + len(link)
    return Markup("").join([*parts, escape(text[end:])])
