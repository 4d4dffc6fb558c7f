"""One made-up request on its way through the real API, and the people who move it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.cli import demo_files
from services.cli.client import ApiError, SimpulClient
from services.cli.demo_cases import Case
from services.cli.shapes import Application, Complexity, Upload, Verdict

NOT_FOUND = 404
COMPLEXITIES: tuple[Complexity, ...] = ("low", "medium", "high")
MISSING = "Surat permohonan belum ditandatangani pejabat yang berwenang. Mohon unggah surat yang telah ditandatangani."


class StillWaiting(Exception):
    """A service did not hear of something within the time that was given."""


@dataclass(frozen=True, slots=True)
class Lead:
    username: str
    client: SimpulClient


@dataclass(frozen=True, slots=True)
class Company:
    """Everybody who plays a part: the staff who are signed in, and the way in for applicants."""

    public: SimpulClient
    officer: SimpulClient
    structural: SimpulClient
    leads: Sequence[Lead]
    today: date
    hearing_seconds: float = 30.0
    longest_pause: float = 0.5
    """Between two looks at whether a service has heard of something, in seconds."""


class Journey:
    """One case; a move first waits until the service that makes it has heard of the one before."""

    def __init__(self, company: Company, case: Case):
        self.company, self.case = company, case
        self.lead = case.chance.choice(company.leads)
        self.id = self.number = ""
        self.applicant = company.public

    async def submit(self) -> None:
        letter, requirements = await asyncio.to_thread(self._documents)
        made = await self.company.public.submit(self.case.form, letter, requirements)
        self.id, self.number = made["id"], made["number"]
        self.applicant = self.company.public.holding(made["tracking_token"])

    def _documents(self) -> tuple[Upload, list[Upload]]:
        return demo_files.letter(self.case), demo_files.requirements(self.case)

    async def verify(self, round: int = 1) -> None:
        seen = await self.seen_by_officer("submitted", round)
        codes = [warning["code"] for warning in seen["warnings"]]
        await self.company.officer.verify(self.id, _verdicts(seen), codes)

    async def send_back(self) -> None:
        seen = await self.seen_by_officer("submitted")
        await self.company.officer.return_(self.id, _verdicts(seen, failed="letter"))

    async def resubmit(self) -> None:
        seen = await self.seen_by_applicant("returned")
        old = [document["id"] for document in seen["documents"] if document["kind"] == "letter"]
        form = Application(letter_number=f"{self.case.form['letter_number']}-P")
        letter = await asyncio.to_thread(demo_files.letter, self.case)
        await self.applicant.resubmit(self.number, form, letter=letter, replaces=old)

    async def recommend(self) -> None:
        await self.seen_by_officer("submitted")
        await self.company.officer.recommend(self.id, "Permohonan berada di luar lingkup Layanan Integrasi Sistem.")

    async def reject(self) -> None:
        await self.seen_by_head("submitted")
        reason = "Mohon maaf, kebutuhan ini dilayani oleh layanan pengembangan aplikasi, bukan integrasi sistem."
        await self.company.structural.reject(self.id, reason)

    async def assign(self) -> None:
        await self.seen_by_head("verified")
        target = self.company.today + timedelta(days=self.case.chance.randint(14, 40))
        complexity = self.case.chance.choice(COMPLEXITIES)
        await self.company.structural.assign(self.id, self.lead.username, complexity, target)

    async def reassign(self) -> None:
        self.lead = next(lead for lead in self.company.leads if lead is not self.lead)
        reason = "Penanggung jawab sebelumnya mendapat penugasan lain."
        await self.company.structural.reassign(self.id, self.lead.username, reason)

    async def start(self) -> None:
        await self.lead.client.start(self.id)

    async def progress(self, percent: int = 50) -> None:
        await self.lead.client.progress(self.id, "Sambungan ke sistem asal telah dipasang dan diuji.", percent)

    async def pause(self) -> None:
        await self.lead.client.pause(self.id, "Mohon informasi alamat server uji dan narahubung teknis sistem asal.")

    async def answer(self) -> None:
        await self.seen_by_applicant("on_hold")
        await self.applicant.answer(self.number, "Server uji telah kami siapkan; narahubung teknis siap dihubungi.")
        await self.seen_by_head("in_progress")

    async def hand_over(self) -> None:
        report = await asyncio.to_thread(demo_files.result_report, self.case)
        await self.lead.client.complete(self.id, "Integrasi telah dipasang, diuji, dan didokumentasikan.", [report])

    async def object(self) -> None:
        await self.seen_by_applicant("delivered")
        await self.applicant.object(self.number, "Laporan belum memuat hasil uji untuk perubahan data.")
        await self.seen_by_head("in_progress")

    async def confirm(self) -> None:
        await self.seen_by_applicant("delivered")
        await self.applicant.confirm(self.number)

    async def survey(self) -> None:
        answers = [self.case.chance.choice((3, 3, 3, 4, 4, 2)) for _ in range(9)]
        await self.applicant.survey(self.number, answers, "Terima kasih atas layanannya.")

    async def withdraw(self) -> None:
        await self.applicant.withdraw(self.number, "Kebutuhan telah terpenuhi dengan cara lain.")

    async def seen_by_applicant(self, status: str, round: int | None = None) -> dict[str, Any]:
        return await self._seen("intake", lambda: self.applicant.track(self.number), status, round)

    async def seen_by_officer(self, status: str, round: int | None = None) -> dict[str, Any]:
        look = lambda: self.company.officer.request("verification", self.id)  # noqa: E731
        return await self._seen("verification", look, status, round)

    async def seen_by_head(self, status: str) -> dict[str, Any]:
        look = lambda: self.company.structural.request("assignment", self.id)  # noqa: E731
        return await self._seen("assignment", look, status, None)

    async def _seen(
        self, who: str, look: Callable[[], Awaitable[dict[str, Any]]], status: str, round: int | None
    ) -> dict[str, Any]:
        until, pause, last = time.monotonic() + self.company.hearing_seconds, 0.02, "nothing"
        while True:
            try:
                seen = await look()
                last = f"{seen['status']}, round {seen['round']}"
                if seen["status"] == status and round in (None, seen["round"]):
                    return seen
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise
            if time.monotonic() > until:
                raise StillWaiting(
                    f"{who} has {last}, and {status} was awaited for {self.company.hearing_seconds:.0f} s"
                )
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, self.company.longest_pause)


def _verdicts(seen: dict[str, Any], failed: str = "") -> list[Verdict]:
    """A verdict for every item of the request's checklist."""
    items = [entry["item"] for entry in seen["checklist"]]
    return [
        Verdict(item=item, ok=False, note=MISSING) if item == failed else Verdict(item=item, ok=True) for item in items
    ]
