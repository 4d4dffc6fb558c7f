"""Uploads without an account are counted in bytes until a request references them: per network, in total, on arrival."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from shared.contracts.facts import ChecklistItem, DocumentKind, DocumentRef
from shared.settings import MIB, InvalidSettings, Settings, load_settings
from shared.storage.port import StoreUnavailable
from shared.web.api.problems import Problem
from shared.web.app import create_app
from shared.web.http import upload_budget
from shared.web.http.upload_budget import (
    ADDRESS_WINDOW_SECONDS,
    LOOKUP_INTERVAL_SECONDS,
    MAX_LOOKUP_FILES,
    MIN_COUNTED_BYTES,
    UploadBudget,
    UploadTarget,
)
from tests.support.domain.request_events import returned_for
from tests.support.services.assignment_pages import WORK, advance_to, submit_form
from tests.support.services.forms_harness import hidden_fields
from tests.support.services.intake_harness import FILES, FORM, LETTER, IntakeHarness, intake_harness
from tests.support.services.staff_harness import pdf as a_pdf
from tests.support.services.staff_harness import staff_harness

LIMITS = {"public_rate": 10_000, "file_limit": 150_000, "body_limit": 200_000}
ROOM = {**LIMITS, "upload_budget_per_address": 450_000, "upload_budget": 2_400_000}
BIG = LETTER + bytes(120_000)


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path, **ROOM) as opened:
        yield opened


def visitor(intake: IntakeHarness, address: str = "192.0.2.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(intake.app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url=intake.platform.settings.origin, timeout=60)


async def ahead(client: httpx.AsyncClient, page: httpx.Response, content: bytes = BIG) -> httpx.Response:
    """Upload a file before its form."""
    data = {**hidden_fields(page), "field": "requirements"}
    return await client.post("/berkas", data=data, files={"requirements": ("besar.pdf", content, "application/pdf")})


def tokens_of(*answers: httpx.Response) -> list[str]:
    found = (re.findall(r'name="held.requirements" value="([^"]+)"', answer.text) for answer in answers)
    return [unescape(token) for tokens in found for token in tokens]


def stored_bytes() -> float:
    return REGISTRY.get_sample_value("simpul_unnamed_upload_bytes", {"state": "stored"}) or 0.0


async def test_files_sent_before_the_form_are_counted_per_address(intake: IntakeHarness):
    async with visitor(intake) as one, visitor(intake, "192.0.2.2") as other:
        page = await one.get("/")
        statuses = [(await ahead(one, page)).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = await ahead(one, page)
        assert int(refused.headers["retry-after"]) > 0
        assert "belum menjadi permohonan" in refused.text
        assert stored_bytes() == 3 * len(BIG)
        assert (await ahead(other, await other.get("/"))).status_code == 200
        by_api = await one.post("/api/requests", data=FORM, files=[("requirements", ("besar.pdf", BIG))])
        assert (by_api.status_code, by_api.headers["content-type"]) == (429, "application/problem+json")


async def test_an_ipv6_network_counts_as_one_client(intake: IntakeHarness):
    statuses = []
    for place in range(4):
        async with visitor(intake, f"2001:db8::{place}") as client:
            statuses.append((await ahead(client, await client.get("/"))).status_code)
    assert statuses == [200, 200, 200, 429]


async def test_files_that_a_request_references_are_released(intake: IntakeHarness):
    async with visitor(intake) as client:
        for _ in range(4):
            page = await client.get("/")
            files = tokens_of(*[await ahead(client, page) for _ in range(3)])
            assert len(files) == 3
            letter = {"letter": ("surat.pdf", LETTER, "application/pdf")}
            held = {"held.requirements": files}
            sent = await client.post("/", data={**hidden_fields(page), **FORM, **held}, files=letter)
            assert sent.status_code == 303, sent.text
    assert stored_bytes() == 0


async def test_files_held_by_a_refused_form_are_counted(intake: IntakeHarness):
    async with visitor(intake) as client:
        page = await client.get("/")
        files = {"requirements": ("besar.pdf", BIG, "application/pdf")}
        assert (await client.post("/", data=hidden_fields(page), files=files)).status_code == 422
        assert stored_bytes() == len(BIG)


async def test_a_repeated_form_releases_no_more_than_its_own_files(intake: IntakeHarness):
    """Otherwise repeating the same form with new copies of its files would hide those copies from the count."""
    async with visitor(intake) as client:
        page = await client.get("/")
        letter = {"letter": ("surat.pdf", LETTER, "application/pdf")}
        for status, left in ((303, 0), (303, len(BIG)), (303, 2 * len(BIG))):
            held = {"held.requirements": tokens_of(await ahead(client, page))}
            sent = await client.post("/", data={**hidden_fields(page), **FORM, **held}, files=letter)
            assert (sent.status_code, stored_bytes()) == (status, left), sent.text


async def test_complete_submissions_leave_nothing_counted(intake: IntakeHarness):
    async with visitor(intake) as client:
        for number in range(8):
            files = [*FILES, ("requirements", (f"besar {number}.pdf", BIG, "application/pdf"))]
            assert (await client.post("/api/requests", data=FORM, files=files)).status_code == 201
            wrong = await client.post("/api/requests", data={**FORM, "email": "x"}, files=files)
            assert wrong.status_code == 422
    assert stored_bytes() == 0


async def test_a_body_is_counted_while_it_is_received(intake: IntakeHarness):
    """A chunked body is refused as soon as it exceeds the budget, before anything of it is stored."""

    async def pieces() -> AsyncIterator[bytes]:
        head = b'--bb\r\nContent-Disposition: form-data; name="requirements"; filename="a.pdf"\r\n\r\n'
        yield head
        for _ in range(100):
            yield bytes(10_000)

    async with visitor(intake) as client:
        page = await client.get("/")
        for _ in range(3):
            assert (await ahead(client, page)).status_code == 200
        kind = {"Content-Type": "multipart/form-data; boundary=bb"}
        answer = await client.post("/berkas", content=pieces(), headers=kind)
    assert answer.status_code == 429


async def test_one_upload_before_the_form_carries_one_file(intake: IntakeHarness):
    async with visitor(intake) as client:
        page = await client.get("/")
        data = {**hidden_fields(page), "field": "requirements"}
        two = [("requirements", (f"{number}.pdf", LETTER, "application/pdf")) for number in range(2)]
        elsewhere = [("letter", ("surat.pdf", LETTER, "application/pdf"))]
        for files in (two, elsewhere):
            answer = await client.post("/berkas", data=data, files=files)
            assert answer.status_code == 422
            assert "satu berkas" in answer.text
    assert not intake.stored_documents


async def test_files_over_the_budget_are_refused_by_name_and_the_others_stored(tmp_path: Path):
    async with intake_harness(tmp_path, public_rate=10_000) as intake, visitor(intake) as client:
        files = [("requirements", (f"syarat {number}.pdf", LETTER, "application/pdf")) for number in range(30)]
        answer = await client.post("/", data=hidden_fields(await client.get("/")), files=files)
        stored = intake.stored_documents
    assert answer.status_code == 422
    assert "Unggah paling banyak 10 berkas. Sekarang 30." in unescape(answer.text)
    assert "syarat 10.pdf" in answer.text
    assert "syarat 29.pdf" in answer.text
    assert len(tokens_of(answer)) == len(stored) == 10


async def test_small_files_are_refused_when_their_counted_size_exceeds_the_budget(intake: IntakeHarness):
    """Sixty files of a kilobyte are fewer bytes than the minimum that one file counts as."""
    async with visitor(intake) as client:
        for _ in range(2):
            files = [("requirements", (f"{number}.pdf", LETTER, "application/pdf")) for number in range(10)]
            page = await client.get("/")
            answer = await client.post("/", data={**hidden_fields(page), "name": "Rahmat"}, files=files)
            assert answer.status_code == 422
            assert "belum menjadi permohonan" in answer.text
            assert 'value="Rahmat"' in answer.text
        assert (await ahead(client, page, LETTER)).status_code == 429
    assert len(intake.stored_documents) == 450_000 // MIN_COUNTED_BYTES
    assert stored_bytes() <= 450_000


async def test_a_form_whose_files_are_stored_is_always_accepted(intake: IntakeHarness):
    """Only this form releases its files; otherwise nobody behind the address could continue for an hour."""
    async with visitor(intake) as client:
        page = await client.get("/")
        letter = await client.post(
            "/berkas",
            data={**hidden_fields(page), "field": "letter"},
            files={"letter": ("surat.pdf", LETTER, "application/pdf")},
        )
        while (last := await ahead(client, page, LETTER)).status_code == 200:
            kept = last
        assert last.status_code == 429
        held = {
            "held.requirements": tokens_of(kept),
            "held.letter": [unescape(each) for each in re.findall(r'name="held.letter" value="([^"]+)"', letter.text)],
        }
        wrong = await client.post(
            "/", data={**hidden_fields(page), **FORM, **held, "email": "x", "filler": "x" * 100_000}
        )
        assert wrong.status_code == 422
        assert (await client.post("/", data={**hidden_fields(page), **FORM, **held})).status_code == 303


async def test_the_total_budget_answers_503(tmp_path: Path):
    async with intake_harness(
        tmp_path, **{**ROOM, "upload_budget": 800_000, "upload_budget_per_address": 200_000}
    ) as intake:
        answers = []
        for place in range(8):
            async with visitor(intake, f"192.0.2.{place}") as client:
                answers.append(await ahead(client, await client.get("/")))
        assert [answer.status_code for answer in answers] == [200] * 6 + [503] * 2
        assert "Tempat untuk berkas" in answers[-1].text
        assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_rate_of_zero_disables_only_the_limit_per_address(tmp_path: Path):
    async with intake_harness(tmp_path, **{**ROOM, "public_rate": 0}) as intake, visitor(intake) as client:
        page = await client.get("/")
        statuses = [(await ahead(client, page)).status_code for _ in range(21)]
        assert statuses == [200] * 19 + [503] * 2


async def test_staff_are_not_counted(tmp_path: Path):
    async with staff_harness(tmp_path) as desk:
        await advance_to(desk, "in_progress")
        refused = await submit_form(desk, "dewi", f"{WORK}/serahkan", [("documents", ("a.pdf", a_pdf(1)))], summary="")
        assert refused.status_code == 422
        assert stored_bytes() == 0


async def test_an_endless_form_without_files_is_cut_off(intake: IntakeHarness):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with intake_harness(intake.platform.settings.data / "other") as roomy, visitor(roomy) as client:
        answer = await client.post("/", content=b"name=" + b"x" * 2_000_000, headers=kind)
    assert answer.status_code == 413


# Two processes behind a gateway


def another_process(intake: IntakeHarness) -> IntakeHarness:
    """A second process on the same data with a budget of its own, as with `--scale intake=2`."""
    routers, stores = intake.service.routers, [intake.service.runtime.store]
    app = create_app(platform=intake.platform, version="1", routers=routers, lifespan=None, stores=stores)
    return replace(intake, app=app)


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_budget, "LOOKUP_INTERVAL_SECONDS", 0.0)


@pytest.mark.usefixtures("looks_at_once")
async def test_files_whose_form_reached_another_process_are_released(intake: IntakeHarness):
    letter = {"letter": ("surat.pdf", LETTER, "application/pdf")}
    async with visitor(intake) as one, visitor(another_process(intake)) as other:
        for _ in range(4):
            page = await one.get("/")
            other.cookies = one.cookies
            files = tokens_of(*[await ahead(one, page) for _ in range(3)])
            assert len(files) == 3
            sent = await other.post("/", data={**hidden_fields(page), **FORM, "held.requirements": files}, files=letter)
            assert sent.status_code == 303, sent.text


@pytest.mark.usefixtures("looks_at_once")
async def test_files_that_no_request_references_stay_counted(intake: IntakeHarness):
    """Otherwise one submitted form would hide all other copies that its page uploads."""
    async with visitor(intake) as one, visitor(another_process(intake)) as other:
        page = await one.get("/")
        other.cookies = one.cookies
        named = tokens_of(await ahead(one, page))
        await ahead(one, page)
        await ahead(one, page)
        letter = {"letter": ("surat.pdf", LETTER, "application/pdf")}
        sent = await other.post("/", data={**hidden_fields(page), **FORM, "held.requirements": named}, files=letter)
        assert sent.status_code == 303, sent.text
        assert [(await ahead(one, page)).status_code for _ in range(3)] == [200, 429, 429]


@pytest.mark.usefixtures("looks_at_once")
async def test_files_of_a_resubmission_at_another_process_are_released(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, returned_for(ChecklistItem.DOCUMENTS))
    path = f"/lacak/{applicant.number}/lengkapi"
    async with visitor(intake) as one, visitor(another_process(intake)) as other:
        await one.get(intake.platform.tracking.link(applicant.id, applicant.number))
        page = await one.get(path)
        assert page.status_code == 200
        other.cookies = one.cookies
        data = {**hidden_fields(page), "field": "requirements"}
        files = {"requirements": ("besar.pdf", BIG, "application/pdf")}
        held = tokens_of(*[await one.post(f"{path}/berkas", data=data, files=files) for _ in range(3)])
        assert len(held) == 3
        assert (await ahead(one, await one.get("/"))).status_code == 429
        sent = await other.post(path, data={**hidden_fields(page), "held.requirements": held})
        assert sent.status_code == 303, sent.text
        assert (await ahead(one, await one.get("/"))).status_code == 200


async def test_the_store_is_queried_rarely_and_for_a_limited_number_of_files():
    now, asked = [0.0], []

    async def named(ids: Sequence[str]) -> set[str]:
        asked.append(len(ids))
        return set()

    budget = UploadBudget(900 * MIN_COUNTED_BYTES, 4_000 * MIN_COUNTED_BYTES, lambda: now[0])
    for number in range(900):
        budget.stored("a", [document(f"a{number}", 1)], UploadTarget(f"request {number}", named))
    for _ in range(3):
        assert await refusal(budget, "a", 1) == 429
    assert asked == [MAX_LOOKUP_FILES]
    now[0] = LOOKUP_INTERVAL_SECONDS
    assert await refusal(budget, "a", 1) == 429
    assert asked == [MAX_LOOKUP_FILES] * 2


async def test_files_stay_counted_while_the_store_is_unavailable():
    async def named(ids: Sequence[str]) -> set[str]:
        raise StoreUnavailable("away")

    budget = UploadBudget(MIN_COUNTED_BYTES, 4 * MIN_COUNTED_BYTES)
    budget.stored("a", [document("a", 1)], UploadTarget("request", named))
    assert await refusal(budget, "a", 1) == 429


# The count itself


def document(key: str, size: int = 100_000) -> DocumentRef:
    kind, media_type = DocumentKind.LETTER, "application/pdf"
    return DocumentRef(id=key, kind=kind, name="a.pdf", size=size, media_type=media_type, sha256="0" * 64, key=key)


async def refusal(budget: UploadBudget, network: str, size: int) -> int:
    try:
        await budget.require(network, size)
    except Problem as problem:
        return problem.status_code
    return 0


async def test_the_budget_of_an_address_recovers_after_an_hour_and_the_total_after_a_day():
    now = [0.0]
    budget = UploadBudget(300_000, 1_200_000, lambda: now[0])
    for hour in range(3):
        now[0] = hour * ADDRESS_WINDOW_SECONDS
        budget.stored("a", [document(f"a{hour}")])
        assert await refusal(budget, "a", 200_001) == 429
    now[0] += ADDRESS_WINDOW_SECONDS
    assert await refusal(budget, "a", 1) == 429, "a quarter of all is the most of one address"
    assert await refusal(budget, "b", 300_000) == 0
    now[0] = 24 * ADDRESS_WINDOW_SECONDS
    assert await refusal(budget, "a", 100_000) == 0
    now[0] = 100 * ADDRESS_WINDOW_SECONDS
    assert await refusal(budget, "a", 300_000) == 0
    assert not budget._files


async def test_a_small_file_counts_as_the_minimum_size():
    budget = UploadBudget(2 * MIN_COUNTED_BYTES, 100 * MIN_COUNTED_BYTES)
    budget.stored("a", [document("a", 1), document("b", 1)])
    assert await refusal(budget, "a", 1) == 429
    budget.release([document("a", 1), document("unknown")])
    assert await refusal(budget, "a", 1) == 0


def test_a_budget_smaller_than_one_form_is_refused_at_startup(tmp_path: Path):
    for wrong in ({"upload_budget_per_address": 1000}, {"upload_budget": 200 * 1024**2}):
        with pytest.raises(InvalidSettings, match="SIMPUL_UPLOAD_BUDGET"):
            load_settings(_env_file=None, **wrong)
    usual = Settings(_env_file=None)
    assert usual.upload_budget_per_address >= 8 * usual.body_limit


@pytest.mark.parametrize("body_limit", [60 * MIB, 512 * MIB, 700_000_000, 2_000_000_000])
def test_default_budgets_grow_with_the_form_limit(body_limit: int):
    settings = load_settings(_env_file=None, body_limit=body_limit)
    assert settings.upload_budget_per_address == max(512 * MIB, body_limit)
    assert settings.upload_budget == max(4096 * MIB, 4 * body_limit)
    with pytest.raises(InvalidSettings, match="SIMPUL_UPLOAD_BUDGET"):
        load_settings(_env_file=None, body_limit=body_limit, upload_budget=body_limit)
