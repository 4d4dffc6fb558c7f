"""A client that openapi-python-client generates from the OpenAPI document takes a request through its whole life."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.support.minimal_files import small_pdf
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness

PACKAGE = "generated_simpul_client"
SERVICES = ("intake", "verification", "assignment", "notification")


@pytest.fixture
def package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def generate_client(folder: Path, document: dict[str, Any]) -> None:
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    paths = ["--path", "openapi.json", "--config", "config.yaml", "--output-path", PACKAGE]
    generated = subprocess.run([*command, *paths], cwd=folder, capture_output=True, text=True, check=False)
    output = generated.stdout + generated.stderr
    assert generated.returncode == 0, output
    assert "Endpoint will not be generated" not in output, output
    assert "Unable to parse schema" not in output, output


class GeneratedClient:
    """The generated package, bound to an application in memory."""

    def __init__(self, harness: StaffHarness) -> None:
        self._harness = harness

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    @property
    def models(self) -> Any:
        return self.module("models")

    def file(self, name: str) -> Any:
        return self.module("types").File(payload=BytesIO(small_pdf()), file_name=name, mime_type="application/pdf")

    async def call(self, operation: str, *path: str, token: str = "", **arguments: Any) -> Any:
        """Call an operation (`tag.operation_id`) and return the parsed response."""
        transport = httpx.ASGITransport(self._harness.app)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://simpul.example", headers=headers) as http:
            client = self.module("client").Client(base_url="http://simpul.example", raise_on_unexpected_status=True)
            client.set_async_httpx_client(http)
            response = await self.module(f"api.{operation}").asyncio_detailed(*path, client=client, **arguments)
        assert response.status_code < 300, response.content
        return response.parsed


async def test_a_generated_client_takes_a_request_through_its_whole_life(tmp_path: Path, package_folder: Path):
    async with services_harness(tmp_path / "data", *SERVICES) as harness:
        generate_client(package_folder, harness.app.openapi())
        client = GeneratedClient(harness)
        models = client.models
        receipt = await client.call(
            "intake.intake_submit",
            body=models.IntakeSubmitBody(
                name="Rahmat Contoh",
                employee_number="19850214 201001 1 001",
                unit="Dinas Perhubungan",
                position="Pranata Komputer",
                description="Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
                scope=models.Scope.DATA,
                email="rahmat@dishub.example",
                phone="",
                letter_number="500.11/12/DISHUB/2026",
                letter_date=harness.clock().date(),
                letter=client.file("surat.pdf"),
                requirements=[client.file("syarat.pdf")],
            ),
        )
        applicant, officer, head, lead = (
            receipt.tracking_token,
            *(f"token of {name}" for name in ("nurlaila", "hasan", "dewi")),
        )

        await harness.wait_for_status("verification", "submitted", receipt.id)
        queue = await client.call("verification.verification_list_requests", token=officer)
        assert [item.number for item in queue.items] == [receipt.number]
        checklist = [models.Finding(item=item, ok=True) for item in ("form", "letter", "scope", "documents")]
        verified = await client.call(
            "verification.verification_verify",
            receipt.id,
            token=officer,
            body=models.VerificationBody(checklist=checklist, acknowledged_warnings=[w.code for w in receipt.warnings]),
        )
        assert verified.status == "verified"

        await harness.wait_for_status("assignment", "verified", receipt.id)
        [dewi] = [
            row
            for row in (await client.call("assignment.assignment_list_leads", token=head)).items
            if row.username == "dewi"
        ]
        target = harness.clock().date() + timedelta(days=14)
        assignment = models.AssignmentBody(lead=dewi.username, complexity=models.Complexity.LOW, target_date=target)
        await client.call("assignment.assignment_assign", receipt.id, token=head, body=assignment)
        await client.call("assignment.assignment_start", receipt.id, token=lead, body=models.EmptyBody())
        progress = models.ProgressBody(note="Pemetaan data selesai.", percent=60)
        await client.call("assignment.assignment_progress", receipt.id, token=lead, body=progress)
        handover = models.AssignmentCompleteBody(summary="Integrasi berjalan.", documents=[client.file("hasil.pdf")])
        await client.call("assignment.assignment_complete", receipt.id, token=lead, body=handover)

        await harness.wait_for_status("intake", "delivered", receipt.id)
        tracked = await client.call("intake.intake_track", receipt.number, token=applicant)
        assert tracked.percent == 60
        assert {document.kind for document in tracked.documents} >= {"letter", "requirement"}
        await client.call("intake.intake_confirm", receipt.number, token=applicant, body=models.EmptyBody())
        survey = models.SurveyBody(answers=[4] * 9)
        done = await client.call("intake.intake_survey", receipt.number, token=applicant, body=survey)
        assert done.status == "completed"
