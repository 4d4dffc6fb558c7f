"""A test client with cookies that submits the forms of pages."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.services.staff_harness import StaffHarness

COOKIE = "simpul"
_FORM = re.compile(r'<form method="post"([^>]*)>(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_KEPT = re.compile(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', re.DOTALL)


@dataclass
class Browser:
    client: httpx.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def send(self, page: httpx.Response, action: str = "", **fields: Any) -> httpx.Response:
        """Submit the page's form to `action` or to the page itself with these fields; None removes a field."""
        data = {**hidden_fields(page, action), **fields}
        given = {name: value for name, value in data.items() if value is not None}
        return await self.client.post(action or page.url.path, data=given)


def hidden_fields(page: httpx.Response, action: str = "") -> dict[str, Any]:
    """Return the hidden fields of a form."""
    for attributes, inside in _FORM.findall(page.text):
        found = re.search(r'action="([^"]*)"', attributes)
        if (html.unescape(found[1]) if found else "") in (action, action or page.url.path):
            pairs = [*_HIDDEN.findall(inside), *_KEPT.findall(inside)]
            return {name: html.unescape(value) for name, value in pairs}
    raise AssertionError(f"no form goes to {action or page.url.path}:\n{page.text}")


@asynccontextmanager
async def browser(harness: StaffHarness, who: str = "", **options: Any) -> AsyncIterator[Browser]:
    """Open a client signed in as `who`, one of PEOPLE, or anonymous."""
    async with harness.http as client:
        client.cookies = httpx.Cookies({COOKIE: f"token of {who}"} if who else {})
        for name, value in options.items():
            setattr(client, name, value)
        yield Browser(client)


def visible_text(page: httpx.Response) -> str:
    """Return the visible text of a page without tags."""
    body = page.text.partition("<body")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))
