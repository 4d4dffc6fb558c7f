"""Routes of no service: health, metrics, documentation and static files, and who may read them."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from services.assignment.app import LIMITS as ASSIGNMENT_LIMITS
from services.intake.app import LIMITS as INTAKE_LIMITS
from shared.settings import Settings
from shared.web.admin.health import HealthCheck, readiness
from shared.web.api.problems import Problem
from shared.web.app import body_limit_policy
from shared.web.http.request_limits import merge_limits
from shared.web.views.static_files import FILES
from tests.support.services.web_harness import WebHarness, web_harness

LIMITS = merge_limits((INTAKE_LIMITS, ASSIGNMENT_LIMITS))


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path) as made:
        yield made


async def got(harness: WebHarness, path: str, **headers: str):
    async with harness.client() as client:
        return await client.get(path, headers=headers)


async def test_health_is_public_and_reveals_no_details(harness):
    assert (await got(harness, "/health/live")).json() == {"status": "ok"}
    ready = await got(harness, "/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


async def test_an_unavailable_log_only_degrades():
    async def fine() -> None: ...

    async def down() -> None:
        raise OSError("no route to 10.0.0.7")

    parts = [HealthCheck("state", fine), HealthCheck("log", down, critical=False)]
    assert await readiness(parts, asyncio.Event()) == {"status": "degraded", "parts": {"state": "ok", "log": "down"}}


async def test_a_failing_full_or_slow_store_makes_the_process_not_ready():
    async def down() -> None:
        raise OSError("no route to 10.0.0.7")

    async def full() -> bool:
        return False

    async def slow() -> None:
        await asyncio.sleep(5)

    for probe in (down, full, slow):
        with pytest.raises(Problem) as unready:
            await readiness([HealthCheck("state", probe)], asyncio.Event())
        assert unready.value.status_code == 503
        assert unready.value.extra == {"parts": {"state": "down"}}


async def test_a_stopping_service_is_alive_but_not_ready(harness):
    harness.app.state.streams.close()
    assert (await got(harness, "/health/ready")).status_code == 503
    assert (await got(harness, "/health/live")).status_code == 200


@pytest.mark.parametrize("place", ["a file", "the setting"])
async def test_metrics_are_for_operators_only(tmp_path, place):
    token = tmp_path / "token"
    token.write_text("s3cret-of-the-operators\n")
    setting = {"metrics_token_file": token} if place == "a file" else {"metrics_token": token.read_text().strip()}
    async with web_harness(tmp_path / "data", **setting) as harness:
        assert (await got(harness, "/metrics")).status_code == 401
        assert (await got(harness, "/metrics", Authorization="Bearer wrong")).status_code == 401
        right = await got(harness, "/metrics", Authorization="Bearer s3cret-of-the-operators")
    assert right.status_code == 200
    assert "simpul_http_seconds_count" in right.text


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/swagger-ui", "/api/openapi.json"])
async def test_documentation_is_closed_in_production(tmp_path, path):
    async with web_harness(tmp_path / "a", base_url="https://simpul.example") as harness:
        assert (await got(harness, path)).status_code == 401
    async with web_harness(tmp_path / "b", base_url="https://simpul.example", docs="open") as harness:
        assert (await got(harness, path)).status_code == 200


async def test_documentation_asks_no_other_host_and_runs_no_script(harness):
    page = await got(harness, "/api/docs")
    assert page.status_code == 200
    assert not re.search(r"src=.https?://|<link[^>]+https?://|<script|<style| style=| on\w+=", page.text)
    assert 'href="/api/docs/swagger-ui"' in page.text
    assert 'href="/api/openapi.json"' in page.text
    assert len(page.content) < 60_000
    for path in ("/docs", "/redoc", "/openapi.json", "/api/docs/redoc.standalone.js"):
        assert (await got(harness, path)).status_code == 404


async def test_swagger_ui_loads_nothing_from_another_host_and_runs_our_scripts_only(harness):
    page = await got(harness, "/api/docs/swagger-ui")
    assert page.status_code == 200
    assert not re.search(r"(src|href)=.(https?:)?//|<style| style=| on\w+=|<script[^>]*>[^<]", page.text)
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "'self' data:"
    assert re.fullmatch(r"'nonce-[\w-]+'", policy["script-src"])
    scripts = re.findall(r'<script src="([^"]+)" nonce="([^"]+)"', page.text)
    files = [address.partition("?")[0] for address, _ in scripts]
    assert files == ["/api/docs/swagger-ui-bundle.js", "/static/swagger.js"]
    assert {f"'nonce-{nonce}'" for _, nonce in scripts} == {policy["script-src"]}


async def test_swagger_ui_is_cached_by_browsers_and_compressed(harness):
    page = (await got(harness, "/api/docs/swagger-ui")).text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        [address] = re.findall(rf'"(/api/docs/{re.escape(name)}[^"]*)"', page)
        asset = await got(harness, address, **{"Accept-Encoding": "gzip"})
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["content-encoding"] == "gzip"
        assert int(asset.headers["content-length"]) < 500_000
        assert "swagger-ui" in asset.text


async def test_the_document_describes_forms_and_problems(harness):
    described = (await got(harness, "/api/openapi.json")).json()
    submit = described["paths"]["/api/requests"]["post"]
    form = submit["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["name", "letter_date", "letter", "requirements"]
    for status in ("400", "413", "422", "503"):
        assert list(submit["responses"][status]["content"]) == ["application/problem+json"]


async def test_static_files_are_cached_by_browsers_and_compressed(harness):
    page = (await got(harness, "/api/docs")).text
    [address] = re.findall(r'"(/static/applicants\.css[^"]*)"', page)
    style = await got(harness, address, **{"Accept-Encoding": "gzip"})
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert style.headers["content-encoding"] == "gzip"
    assert int(style.headers["content-length"]) < 8_000
    assert "--sea" in style.text
    again = await got(harness, address, **{"Accept-Encoding": "gzip", "If-None-Match": style.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await got(harness, "/static/applicants.css", **{"Accept-Encoding": "identity"})
    assert "immutable" not in other.headers["cache-control"]
    assert "content-encoding" not in other.headers


@pytest.mark.parametrize("name", ["applicants.css", "staff.css"])
def test_the_style_sheets_of_a_page_have_at_most_32_kib(name: str):
    sizes = [len(FILES[each].content) for each in (name, "charts.css")]
    assert 1024 < sum(sizes) <= 32 * 1024, sizes


@pytest.mark.parametrize("name", ["app.py", "..%2fapp.py", "%2e%2e/app.py", "simpul.css%00", "nothing.css"])
async def test_no_other_file_is_served(harness, name):
    assert (await got(harness, f"/static/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "large"),
    [
        ("POST", "/api/requests", True),
        ("POST", "/api/requests/INT-2026-000001/resubmission", True),
        ("PATCH", "/api/requests/INT-2026-000001", True),
        ("POST", "/api/requests/INT-2026-000001", False),
        ("POST", "/api/assignment/requests/1/completion", True),
        ("POST", "/api/requests/INT-2026-000001/withdrawal", False),
        ("PATCH", "/api/requests", False),
        ("POST", "/api/session", False),
        ("POST", "/anything/api/requests", False),
    ],
)
def test_only_forms_with_files_may_have_large_bodies(method, path, large, tmp_path):
    settings = Settings(data=tmp_path)
    assert (body_limit_policy(settings, LIMITS)(method, path) == settings.body_limit) is large


@pytest.mark.parametrize(
    ("method", "path", "for_each_submission"),
    [
        ("POST", "/", 1),
        ("POST", "/api/requests", 1),
        ("POST", "/lacak/INT-2026-000001/kontak", 1),
        ("POST", "/api/requests/INT-2026-000001/contact", 1),
        ("POST", "/lacak/INT-2026-000001/perbaiki", 1),
        ("PATCH", "/api/requests/INT-2026-000001", 1),
        ("GET", "/lacak/INT-2026-000001/kontak", 10),
        ("GET", "/api/requests/INT-2026-000001", 10),
        ("POST", "/lacak/INT-2026-000001/kontak/1", 10),
    ],
)
def test_what_emails_any_address_or_stores_files_is_as_rare_as_a_submission(
    method: str, path: str, for_each_submission: int
):
    rule = next(rule for rule in LIMITS.rates if rule.matches(method, path))
    assert rule.per_submission == for_each_submission


@pytest.mark.parametrize(
    ("name", "media_type"), [("favicon.ico", "image/x-icon"), ("robots.txt", "text/plain; charset=utf-8")]
)
async def test_favicon_and_robots_are_served_at_fixed_paths(harness, name, media_type):
    answer = await got(harness, f"/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert (await got(harness, f"/static/{name}")).content == answer.content
    assert len(answer.content) < 1_000


async def test_the_icon_has_two_sizes(harness):
    with Image.open(io.BytesIO((await got(harness, "/favicon.ico")).content)) as icon:
        assert icon.info["sizes"] == {(16, 16), (32, 32)}


@pytest.mark.parametrize(("asked", "answered"), [("/things/", "/things"), ("/things//?a=1&b=%2F", "/things?a=1&b=%2F")])
async def test_a_page_with_a_trailing_slash_redirects_to_the_page(harness, asked, answered):
    answer = await got(harness, asked)
    assert (answer.status_code, answer.headers["location"]) == (308, answered)


@pytest.mark.parametrize(
    "asked", ["//evil.example/", "/\\evil.example/", "/%5cevil.example/", "/@evil.example/", "/api/x/", "/static/x/"]
)
async def test_a_trailing_slash_never_redirects_to_another_host_or_an_api_client(harness, asked):
    async with harness.client() as client:
        answer = await client.get(f"http://simpul.example{asked}")
    assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_a_post_with_a_trailing_slash_is_not_redirected(harness):
    async with harness.client() as client:
        assert (await client.post("/things/")).status_code == 404


async def test_public_pages_show_the_name_and_the_arms_of_the_office(harness, tmp_path: Path):
    without = (await got(harness, "/masuk")).text
    assert "Dinas Komunikasi dan Informatika" in without
    assert "lambang.png" not in without
    assert (await got(harness, "/static/lambang.png")).status_code == 404

    drawn = io.BytesIO()
    Image.new("RGBA", (64, 64), "#0a5875").save(drawn, "PNG")
    (tmp_path / "arms.png").write_bytes(drawn.getvalue())
    settings = {"office_name": "Dinas Kominfo <Persandian>", "office_arms": str(tmp_path / "arms.png")}
    async with web_harness(tmp_path / "named", **settings) as named:
        page = (await got(named, "/masuk")).text
        assert page.count("Dinas Kominfo &lt;Persandian&gt;") == 2
        [address] = re.findall(
            r'<img src="(/static/lambang\.png\?v=[0-9a-f]{16})" width="32" height="32" alt="">', page
        )
        answer = await got(named, address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content == drawn.getvalue()
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
