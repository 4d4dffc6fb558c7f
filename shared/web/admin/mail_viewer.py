"""The mail viewer: shows emails that are stored as files; with an SMTP server it does not exist."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Annotated

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
from shared.web.dependencies import BoundRouter, provide
from shared.web.http.loopback import require_loopback_host
from shared.web.views.navigation import MAIL_VIEWER
from shared.web.views.page_routes import PageRoute

PAGE_SIZE = 50
EMAIL_CSP = (
    "sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
"""Isolates the HTML of an email: no scripts, forms or remote images, and an origin of its own."""
LINK_TARGET_TOP = '<base target="_top">'

_LINK = re.compile(r"https?://[^\s<>\"']+")
_AFTER_LINK = ".,;:!?)]"
_HEAD = re.compile(r"<head[^<>]*>", re.IGNORECASE)

templates = AdminTemplates("shared.web.views")
EmailFolder = Annotated[FolderMailer, Depends(provide(FolderMailer))]


def pages(platform: Platform) -> APIRouter:
    """Return the routes under /surel if emails are stored as files: open on this machine, or for administrators."""
    settings, mailer = platform.settings, platform.mailer
    if not settings.mail_viewer or not isinstance(mailer, FolderMailer):
        return APIRouter()
    # Without accounts only this machine may read; the loopback check keeps out pages of other sites in its browsers.
    on_this_machine = [Depends(public()), Depends(require_loopback_host)]
    access = on_this_machine if settings.mail_viewer_open else [Depends(signed_in(Role.ADMIN))]
    router = APIRouter(prefix=MAIL_VIEWER, route_class=PageRoute, include_in_schema=False, dependencies=access)
    router.add_api_route("", list_emails, methods=["GET"])
    router.add_api_route("/{name}", show_email, methods=["GET"])
    router.add_api_route("/{name}/html", show_html_part, methods=["GET"])
    return BoundRouter(router, services=(mailer,))


async def list_emails(request: Request, folder: EmailFolder, before: str = "", after: str = "") -> Response:
    found = await folder.list_messages(before, PAGE_SIZE + 1, after=after)
    more = len(found) > PAGE_SIZE
    emails = found[-PAGE_SIZE:] if after else found[:PAGE_SIZE]
    older = f"{MAIL_VIEWER}?before={emails[-1].name}" if emails and (more or after) else ""
    newer = f"{MAIL_VIEWER}?after={emails[0].name}" if emails and (more if after else before) else ""
    return await templates(request, "emails.html", emails=emails, next=older, previous=newer)


async def show_email(request: Request, folder: EmailFolder, name: str) -> Response:
    email = await _read(folder, name)
    text, html = _part(email, "plain"), _part(email, "html")
    return await templates(request, "email.html", email=email, name=name, text=linkify(text), html=bool(html))


async def show_html_part(folder: EmailFolder, name: str) -> Response:
    html = _part(await _read(folder, name), "html")
    return HTMLResponse(_open_links_in_top_window(html), headers={"Content-Security-Policy": EMAIL_CSP})


async def _read(folder: FolderMailer, name: str) -> EmailMessage:
    try:
        return parse_email(await folder.read(name))
    except EmailNotFound as error:
        raise Problem(404, templates.words.mail.missing) from error


def _part(email: EmailMessage, kind: str) -> str:
    part = email.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _open_links_in_top_window(html: str) -> str:
    """Make links open in the window instead of the frame, which is for emails only."""
    rewritten, found = _HEAD.subn(lambda head: head.group() + LINK_TARGET_TOP, html, count=1)
    return rewritten if found else LINK_TARGET_TOP + html


def linkify(text: str) -> Markup:
    """Return the text with its URLs as links."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        link = found.group().rstrip(_AFTER_LINK)
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(link)]
        end = found.start() + len(link)
    return Markup("").join([*parts, escape(text[end:])])
