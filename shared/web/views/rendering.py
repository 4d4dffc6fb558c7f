"""Renders pages from templates: with autoescaping, compression and a strict Content-Security-Policy."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.office_contact import OfficeContact
from shared.web.api.validation import labelled_message
from shared.web.auth.csrf import CsrfTokens
from shared.web.dependencies import current_principal, platform_of
from shared.web.views import formats, labels, navigation
from shared.web.views.compression import compress, negotiate_coding
from shared.web.views.request_list import format_input_date
from shared.web.views.static_files import arms_url, static_url
from shared.web.views.words import bold, fill, load_words

MIN_COMPRESS_BYTES = 1000
"""Smaller pages gain too little from compression."""

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
    months=formats.MONTHS,
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
    size=formats.format_size,
    initials=formats.format_initials,
    machine_time=formats.format_machine_time,
    decimal=formats.format_decimal,
    format_input_date=format_input_date,
)


class PageContext:
    """The request as templates see it, under the name `page`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.nonce = secrets.token_urlsafe(16)
        self.csrf_tokens = CsrfTokens(request)
        self.path = request.url.path

    @property
    def principal(self) -> Principal | None:
        """The signed-in staff member; None on public pages."""
        return current_principal(self._request)

    @cached_property
    def csrf(self) -> str:
        """The CSRF token of all forms, masked anew on each page, so that its compressed size does not reveal it (BREACH)."""
        return self.csrf_tokens.issue()

    @property
    def now(self) -> datetime:
        return platform_of(self._request).clock()

    def new_key(self) -> str:
        """A new idempotency key for a form."""
        return platform_of(self._request).new_id()

    @property
    def mail_viewer(self) -> bool:
        """Whether the user may open the mail viewer."""
        settings = platform_of(self._request).settings
        admin = self.principal is not None and self.principal.has_role(Role.ADMIN)
        return settings.mail_viewer_open or (settings.mail_viewer and admin)

    @property
    def office(self) -> OfficeContact:
        return platform_of(self._request).settings.office

    @property
    def office_name(self) -> str:
        """The name of the office in the settings, "" for that of the texts."""
        return platform_of(self._request).settings.office_name

    @property
    def office_arms(self) -> str:
        """The path of the office's coat of arms, "" if there is none."""
        return arms_url(platform_of(self._request).settings)

    @property
    def docs_open(self) -> bool:
        return platform_of(self._request).settings.docs_open


class Templates:
    """Templates and texts of one package; templates may extend and import the shared ones."""

    def __init__(self, package: str) -> None:
        self._templates = _environment_for(package)
        self.words = load_words(package)

    def __call__(self, request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
        """Render a template into a response."""
        page = PageContext(request)
        text = self._templates.get_template(template).render(page=page, words=self.words, **context)
        response = _compressed_response(request, text.encode(), status)
        response.headers["Content-Security-Policy"] = content_security_policy(page.nonce)
        page.csrf_tokens.set_cookie(response)
        return response


@cache
def _environment_for(package: str) -> Environment:
    """Return the environment of a package; a second one would compile the shared templates again."""
    return _environment.overlay(loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.web.views")]))


def content_security_policy(nonce: str) -> str:
    """Return the policy: our own style sheet and images, and scripts with this nonce only."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _compressed_response(request: Request, body: bytes, status: int) -> HTMLResponse:
    """Compress pages only: Starlette's middleware would also compress downloads, and JSON with unmasked tokens (BREACH)."""
    coding = negotiate_coding(request.headers.get("accept-encoding", ""))
    if len(body) < MIN_COMPRESS_BYTES or not coding:
        return HTMLResponse(body, status, {"Vary": "Accept-Encoding"})
    return HTMLResponse(compress(body, coding), status, {"Vary": "Accept-Encoding", "Content-Encoding": coding})


shared_templates = Templates("shared.web.views")
"""Templates that belong to no service."""
