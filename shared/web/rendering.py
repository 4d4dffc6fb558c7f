"""Pages from templates; everything in them is escaped unless the template itself wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from shared.web.static_files import address_of

_pages = Environment(
    loader=PackageLoader("shared.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_pages.globals["static"] = address_of


def text_of(template: str, **facts: Any) -> str:
    return _pages.get_template(template).render(**facts)


def page(template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """A page; `no-store` unless the caller says otherwise."""
    return HTMLResponse(text_of(template, **facts), status)


def pages_of(package: str) -> Callable[..., HTMLResponse]:
    """The same as `page` for the templates of a service, which may extend the shared ones."""
    pages = _pages.overlay(loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.web")]))

    def page(template: str, status: int = 200, /, **facts: Any) -> HTMLResponse:
        return HTMLResponse(pages.get_template(template).render(**facts), status)

    return page
