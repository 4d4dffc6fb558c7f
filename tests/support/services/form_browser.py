"""A browser that somebody is signed in with: it keeps cookies, reads forms off pages, and sends them as they stand."""

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
        """The form of the page that goes to `action`, or back to the page itself, with these fields; None takes one away."""
        data = {**hidden_fields(page, action), **fields}
        given = {name: value for name, value in data.items() if value is not None}
        return await self.client.post(action or page.url.path, data=given)


def hidden_fields(page: httpx.Response, action: str = "") -> dict[str, Any]:
    """What a form of the page holds without being seen."""
    for attributes, inside in _FORM.findall(page.text):
        found = re.search(r'action="([^"]*)"', attributes)
        if (html.unescape(found[1]) if found else "") in (action, action or page.url.path):
            pairs = [*_HIDDEN.findall(inside), *_KEPT.findall(inside)]
            return {name: html.unescape(value) for name, value in pairs}
    raise AssertionError(f"no form goes to {action or page.url.path}:\n{page.text}")


@asynccontextmanager
async def browser(harness: StaffHarness, who: str = "", **options: Any) -> AsyncIterator[Browser]:
    """Signed in as `who`, one of PEOPLE, or as nobody."""
    async with harness.http as client:
        client.cookies = httpx.Cookies({COOKIE: f"token of {who}"} if who else {})
        for name, value in options.items():
            setattr(client, name, value)
        yield Browser(client)


def visible_text(page: httpx.Response) -> str:
    """What is seen of a page, without its marks."""
    body = page.text.partition("<body")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))
