"""Pages from templates: escaped unless the template itself wrote it, packed for thin links, and closed to foreign scripts."""

from __future__ import annotations

import gzip
import secrets
from datetime import datetime
from functools import cache
from typing import Any, cast

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.office_contact import OfficeContact
from shared.web.api.validation import labelled_message
from shared.web.auth.csrf import csrf_token, set_visitor_cookie
from shared.web.dependencies import platform_of
from shared.web.views import formats, labels, navigation
from shared.web.views.file_size import format_size
from shared.web.views.static_files import static_url
from shared.web.views.words import bold, fill, load_words

MIN_COMPRESS_BYTES = 1000
"""Bytes from which a page gets smaller by more than the packing costs."""

_environment = Environment(
    loader=PackageLoader("shared.web.views"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.globals.update(
    static=static_url,
    labels=labels,
    navigation=navigation,
    common=load_words("shared.web.views"),
    bold=bold,
    labelled_message=labelled_message,
)
_environment.filters.update(
    fill=fill,
    day=formats.format_weekday_date,
    format_date=formats.format_date,
    format_short_date=formats.format_short_date,
    moment=formats.format_weekday_datetime,
    format_short_datetime=formats.format_short_datetime,
    clock=formats.format_time,
    size=format_size,
)


class PageContext:
    """What every page may ask of the request that it answers."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.nonce = secrets.token_urlsafe(16)
        self.path = request.url.path

    @property
    def principal(self) -> Principal | None:
        """The member of staff whose page this is; None on pages for everybody."""
        return cast("Principal | None", getattr(self._request.state, "principal", None))

    @property
    def csrf(self) -> str:
        """Another text at every call, so that a packed page does not betray it by its size."""
        return csrf_token(self._request)

    @property
    def now(self) -> datetime:
        return platform_of(self._request).clock()

    def new_key(self) -> str:
        """What a form is known by, however often it is sent."""
        return platform_of(self._request).new_id()

    @property
    def mail_viewer(self) -> bool:
        """Whoever meets this page may read the e-mails that are kept."""
        settings = platform_of(self._request).settings
        admin = self.principal is not None and self.principal.has_role(Role.ADMIN)
        return settings.mail_viewer_open or (settings.mail_viewer and admin)

    @property
    def office(self) -> OfficeContact:
        return platform_of(self._request).settings.office

    @property
    def docs_open(self) -> bool:
        return platform_of(self._request).settings.docs_open


class Templates:
    """The templates of one package, which may extend and import the shared ones, with the words of that package."""

    def __init__(self, package: str) -> None:
        self._templates = _environment_for(package)
        self.words = load_words(package)

    def __call__(self, request: Request, template: str, status: int = 200, /, **facts: Any) -> HTMLResponse:
        """The page; `no-store` unless the caller says otherwise."""
        view = PageContext(request)
        text = self._templates.get_template(template).render(page=view, words=self.words, **facts)
        answer = _compressed_response(request, text.encode(), status)
        answer.headers["Content-Security-Policy"] = content_security_policy(view.nonce)
        set_visitor_cookie(request, answer)
        return answer


@cache
def _environment_for(package: str) -> Environment:
    """One for each package, however many of its modules have pages: each would compile the shared ones again."""
    return _environment.overlay(loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.web.views")]))


def content_security_policy(nonce: str) -> str:
    """Only our own style sheet, pictures and scripts that this answer names."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _compressed_response(request: Request, body: bytes, status: int) -> HTMLResponse:
    if len(body) < MIN_COMPRESS_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(body, status, {"Vary": "Accept-Encoding"})
    return HTMLResponse(
        gzip.compress(body, 6, mtime=0), status, {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    )


shared_templates = Templates("shared.web.views")
"""Pages that belong to no service."""
