"""What all pages of administrators have in common, and where the front door leads."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.backends.platform import open_platform
from shared.identity.accounts import Role
from shared.settings import Settings
from shared.web.auth.access import declared_access
from simpul.app import create_application
from tests.integration.admin.test_dead_letters_api import a_poisoned_resubmission
from tests.support.services.form_browser import browser, visible_text
from tests.support.services.services_harness import services_harness

ADMIN = frozenset({Role.ADMIN})
FOR_PROGRAMS = re.compile(r"/(?:api/.*|metrics)")


def pages_of_administrators(app: FastAPI) -> list[str]:
    """Every page for administrators alone that shows something without an id of it."""
    found = []
    for route in iter_route_contexts(app.routes):
        path, dependant = route.path or "", getattr(route, "dependant", None)
        admins = dependant is not None and declared_access(dependant) == ADMIN
        if admins and "GET" in (route.methods or ()) and not FOR_PROGRAMS.fullmatch(path):
            found.append(path)
    return found


async def test_at_the_foot_of_every_administrators_page_stands_how_the_system_is(tmp_path: Path):
    async with services_harness(tmp_path, "verification", "notification", base_url="http://simpul.example") as harness:
        await a_poisoned_resubmission(harness)
        letter = (await harness.get("admin", "/api/dead-letters")).json()["items"][0]["id"]
        await harness.wait_until(harness.platform.mailer.list_messages)  # type: ignore[attr-defined]
        name = (await harness.platform.mailer.list_messages())[0].name  # type: ignore[attr-defined]
        paths = pages_of_administrators(harness.app)
        assert len(paths) >= 8
        async with browser(harness, "admin") as admin:
            for path in paths:
                page = await admin.get(path.format(username="admin", letter_id=letter, name=name, scope="data"))
                assert page.status_code == 200, path
                if not path.endswith("/html"):
                    assert "Simpul 1, semua bagian berjalan" in visible_text(page), path
                    assert "Kejadian tertunda 4 perlu ditindak" in visible_text(page), path


async def test_a_part_that_is_down_is_named(tmp_path: Path):
    async with services_harness(tmp_path, "notification") as harness:

        async def down() -> bool:
            return False

        harness.app.state.health_checks = tuple(
            type(part)(part.name, down if part.name == "log" else part.probe, part.critical)
            for part in harness.app.state.health_checks
        )
        async with browser(harness, "admin") as admin:
            assert "sebagian terganggu: catatan kejadian" in visible_text(await admin.get("/akun"))


@pytest.mark.parametrize("service", ["verification", "assignment", "notification"])
async def test_without_intake_the_front_door_leads_to_the_sign_in(tmp_path: Path, service: str):
    app = create_application(open_platform(Settings(data=tmp_path)), (service,))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/masuk")


async def test_with_intake_the_front_door_is_its_own(tmp_path: Path):
    app = create_application(open_platform(Settings(data=tmp_path)))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/")
    assert answer.headers.get("location") != "/masuk"
