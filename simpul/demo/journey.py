"""The steps of one sample request through the API, and the people who take them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from simpul.client import ApiError, SimpulClient
from simpul.client_types import Complexity, RequestForm, Upload, Verdict
from simpul.demo import sample_documents
from simpul.demo.sample_requests import SampleRequest

NOT_FOUND = 404
COMPLEXITIES: tuple[Complexity, ...] = ("low", "medium", "high")
UNSIGNED_LETTER_NOTE = (
    "Surat permohonan belum ditandatangani pejabat yang berwenang. Mohon unggah surat yang telah ditandatangani."
)


class PropagationTimeout(Exception):
    """A service did not reach the expected status in time."""


@dataclass(frozen=True, slots=True)
class Lead:
    username: str
    client: SimpulClient


@dataclass(frozen=True, slots=True)
class Actors:
    """The people in a scenario: staff who are signed in, and a client without a session for applicants."""

    public: SimpulClient
    officer: SimpulClient
    structural: SimpulClient
    leads: Sequence[Lead]
    today: date
    propagation_timeout_seconds: float = 30.0
    max_delay_seconds: float = 0.5
    """The longest delay between two polls for an expected status."""


class Journey:
    """One sample request. Each step first waits until its service has reached the status that the step before led to."""

    def __init__(self, actors: Actors, sample_request: SampleRequest) -> None:
        self.actors, self.sample_request = actors, sample_request
        self.lead = sample_request.rng.choice(actors.leads)
        self.id = self.number = ""
        self.applicant = actors.public

    async def submit(self) -> None:
        letter, requirements = await asyncio.to_thread(self._documents)
        made = await self.actors.public.submit(self.sample_request.form, letter, requirements)
        self.id, self.number = made["id"], made["number"]
        self.applicant = self.actors.public.with_token(made["tracking_token"])

    def _documents(self) -> tuple[Upload, list[Upload]]:
        return sample_documents.letter(self.sample_request), sample_documents.requirements(self.sample_request)

    async def verify(self, round_number: int = 1) -> None:
        view = await self.wait_until_officer_sees("submitted", round_number)
        codes = [warning["code"] for warning in view["warnings"]]
        await self.actors.officer.verify(self.id, _verdicts(view), codes)

    async def return_to_applicant(self) -> None:
        view = await self.wait_until_officer_sees("submitted")
        await self.actors.officer.return_request(self.id, _verdicts(view, failed="letter"))

    async def resubmit(self) -> None:
        view = await self.wait_until_applicant_sees("returned")
        old = [document["id"] for document in view["documents"] if document["kind"] == "letter"]
        form = RequestForm(letter_number=f"{self.sample_request.form['letter_number']}-P")
        letter = await asyncio.to_thread(sample_documents.letter, self.sample_request)
        await self.applicant.resubmit(self.number, form, letter=letter, replaces=old)

    async def recommend(self) -> None:
        await self.wait_until_officer_sees("submitted")
        await self.actors.officer.recommend(self.id, "Permohonan berada di luar lingkup Layanan Integrasi Sistem.")

    async def reject(self) -> None:
        await self.wait_until_head_sees("submitted")
        reason = "Mohon maaf, kebutuhan ini dilayani oleh layanan pengembangan aplikasi, bukan integrasi sistem."
        await self.actors.structural.reject(self.id, reason)

    async def assign(self) -> None:
        await self.wait_until_head_sees("verified")
        target = self.actors.today + timedelta(days=self.sample_request.rng.randint(14, 40))
        complexity = self.sample_request.rng.choice(COMPLEXITIES)
        await self.actors.structural.assign(self.id, self.lead.username, complexity, target)

    async def reassign(self) -> None:
        self.lead = next(lead for lead in self.actors.leads if lead is not self.lead)
        reason = "Penanggung jawab sebelumnya mendapat penugasan lain."
        await self.actors.structural.reassign(self.id, self.lead.username, reason)

    async def start(self) -> None:
        await self.lead.client.start(self.id)

    async def progress(self, percent: int = 50) -> None:
        await self.lead.client.progress(self.id, "Sambungan ke sistem asal telah dipasang dan diuji.", percent)

    async def pause(self) -> None:
        await self.lead.client.pause(self.id, "Mohon informasi alamat server uji dan narahubung teknis sistem asal.")

    async def answer(self) -> None:
        await self.wait_until_applicant_sees("on_hold")
        await self.applicant.answer(self.number, "Server uji telah kami siapkan; narahubung teknis siap dihubungi.")
        await self.wait_until_head_sees("in_progress")

    async def complete(self) -> None:
        report = await asyncio.to_thread(sample_documents.result_report, self.sample_request)
        await self.lead.client.complete(self.id, "Integrasi telah dipasang, diuji, dan didokumentasikan.", [report])

    async def contest(self) -> None:
        await self.wait_until_applicant_sees("delivered")
        await self.applicant.contest(self.number, "Laporan belum memuat hasil uji untuk perubahan data.")
        await self.wait_until_head_sees("in_progress")

    async def confirm(self) -> None:
        await self.wait_until_applicant_sees("delivered")
        await self.applicant.confirm(self.number)

    async def survey(self) -> None:
        answers = [self.sample_request.rng.choice((3, 3, 3, 4, 4, 2)) for _ in range(9)]
        await self.applicant.survey(self.number, answers, "Terima kasih atas layanannya.")

    async def withdraw(self) -> None:
        await self.applicant.withdraw(self.number, "Kebutuhan telah terpenuhi dengan cara lain.")

    async def wait_until_applicant_sees(self, status: str, round_number: int | None = None) -> dict[str, Any]:
        return await self._wait_for_status("intake", lambda: self.applicant.track(self.number), status, round_number)

    async def wait_until_officer_sees(self, status: str, round_number: int | None = None) -> dict[str, Any]:
        fetch = lambda: self.actors.officer.request("verification", self.id)  # noqa: E731
        return await self._wait_for_status("verification", fetch, status, round_number)

    async def wait_until_head_sees(self, status: str) -> dict[str, Any]:
        fetch = lambda: self.actors.structural.request("assignment", self.id)  # noqa: E731
        return await self._wait_for_status("assignment", fetch, status, None)

    async def _wait_for_status(
        self, service: str, fetch: Callable[[], Awaitable[dict[str, Any]]], status: str, round_number: int | None
    ) -> dict[str, Any]:
        deadline, delay, last = time.monotonic() + self.actors.propagation_timeout_seconds, 0.02, "nothing"
        while True:
            try:
                view = await fetch()
                last = f"{view['status']}, round {view['round']}"
                if view["status"] == status and round_number in (None, view["round"]):
                    return view
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise
            if time.monotonic() > deadline:
                raise PropagationTimeout(
                    f"{service} has {last}, and {status} was awaited for {self.actors.propagation_timeout_seconds:.0f} s"
                )
            await asyncio.sleep(delay)
            delay = min(1.5 * delay, self.actors.max_delay_seconds)


def _verdicts(view: dict[str, Any], failed: str = "") -> list[Verdict]:
    """A verdict for every item of the request's checklist."""
    items = [entry["item"] for entry in view["checklist"]]
    return [
        Verdict(item=item, ok=False, note=UNSIGNED_LETTER_NOTE) if item == failed else Verdict(item=item, ok=True)
        for item in items
    ]
