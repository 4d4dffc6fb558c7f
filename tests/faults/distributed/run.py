"""`python -m tests.faults.distributed.run`: the demo goes on over real engines while one thing after another is broken.

Afterwards everything that was acknowledged must be there, whole and told; the figures are written into docs/faults.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.distributed.fault_injection import Fault, FaultRecord, all_faults, break_for_a_while, short_faults
from tests.faults.distributed.load_generator import LoadGenerator, load_generator
from tests.faults.distributed.report import PAGE, Figures, machine_now, page, table
from tests.faults.distributed.smtp_recorder import SmtpRecorder
from tests.support.distributed.deployment import Deployment, Engines, engines
from tests.support.e2e.server_process import smtp_server
from tests.support.engines.engine_process import EngineUnavailable, required, say

SETTLES_WITHIN = 330.0
"""Seconds until a request or an email counts as stuck; a claim of a killed process lasts three minutes."""


@dataclass
class Run:
    """One run: the faults and the load during them."""

    deployment: Deployment
    smtp_recorder: SmtpRecorder
    faults: Sequence[Fault]
    pause: float
    calm: float
    seed: int = 1
    begun: float = field(default_factory=time.monotonic)

    async def done(self) -> Figures:
        async with load_generator(self.deployment.url, self.seed, self.pause) as people:
            coming = asyncio.create_task(people.come())
            await asyncio.sleep(self.calm)
            fault_records = [await self._break(fault, people) for fault in self.faults]
            people.end()
            await coming
            await self._until("ways", lambda: people.on_their_way)
            await self._all_sent(people)
            findings = await people.findings()
            # Read last, because notification may still plan emails while the other findings are collected.
            owed = await self._all_sent(people)
            findings += self.smtp_recorder.findings(owed, fault_records)
            findings += await asyncio.to_thread(self._verify)
        seconds = time.monotonic() - self.begun
        return Figures(people, self.smtp_recorder, fault_records, len(owed), findings, seconds, machine_now())

    async def _break(self, fault: Fault, people: LoadGenerator) -> FaultRecord:
        self._say(f"{fault.name}, for {fault.seconds:.0f} s ...")
        fault_records = await asyncio.to_thread(break_for_a_while, fault, self.calm)
        silence = people.book.silence(fault_records.begun, fault_records.watched)
        back = fault_records.mended - fault_records.begun
        self._say(
            f"    back after {back:.0f} s; longest silence {silence:.1f} s; {len(people.book.acknowledged)} commands"
            f" acknowledged, {people.completed} of {len(people.journeys)} ways done"
        )
        return fault_records

    async def _until(self, what: str, left: Callable[[], int]) -> None:
        ends, told = time.monotonic() + SETTLES_WITHIN, 0.0
        while count := left():
            if time.monotonic() > told + 10:
                self._say(f"waiting for {count} {what} to end")
                told = time.monotonic()
            if time.monotonic() > ends:
                return
            await asyncio.sleep(0.2)

    async def _all_sent(self, people: LoadGenerator) -> dict[str, str]:
        """Return the ledger once all its emails are sent, or after the timeout."""
        owed = await people.owed()

        def left() -> int:
            return sum(status != "sent" for status in owed.values())

        ends = time.monotonic() + SETTLES_WITHIN
        while left() and time.monotonic() < ends:
            self._say(f"waiting for {left()} of {len(owed)} e-mails")
            await asyncio.sleep(5)
            owed = await people.owed()
        return owed

    def _verify(self) -> list[str]:
        self._say("simpul events verify ...")
        verified = self.deployment.simpul("events", "verify", "--json")
        try:
            return [str(line) for line in json.loads(verified.stdout)["trouble"]]
        except (ValueError, KeyError):
            return [f"events verify failed: {(verified.stderr or verified.stdout).strip()[-300:]}"]

    def _say(self, line: str) -> None:
        say(f"[{time.monotonic() - self.begun:5.0f} s] {line}")


@contextlib.contextmanager
def prepared(folder: Path, started: Engines) -> Iterator[tuple[Deployment, SmtpRecorder]]:
    """Prepare two processes of each service with staff accounts and an SMTP recorder."""
    with smtp_server(SmtpRecorder()) as (smtp_recorder, smtp):
        deployment = Deployment(folder, {"SIMPUL_SMTP": smtp, **started.settings})
        deployment.prepare()
        deployment.add_staff()
        try:
            deployment.start()
            assert isinstance(smtp_recorder, SmtpRecorder)
            yield deployment, smtp_recorder
        finally:
            deployment.stop()


def options(words: Sequence[str]) -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="faults", description=__doc__)
    arguments.add_argument("--stopped", type=float, default=120, help="seconds for which Kafka is stopped at the end")
    arguments.add_argument("--pause", type=float, default=1.5, help="seconds between two new requests")
    arguments.add_argument("--calm", type=float, default=15, help="seconds between two faults")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--short", action="store_true", help="one process and Kafka only; writes no page")
    arguments.add_argument(
        "--only", nargs="+", metavar="WORD", help="faults whose name has one of these; writes no page"
    )
    arguments.add_argument("--folder", type=Path, help="where data and logs are kept; default: gone afterwards")
    return arguments.parse_args(words)


def wanted(chosen: argparse.Namespace, deployment: Deployment, started: Engines) -> Sequence[Fault]:
    if chosen.short:
        return short_faults(deployment, started)
    every = all_faults(deployment, started, chosen.stopped)
    return [fault for fault in every if not chosen.only or any(word in fault.name for word in chosen.only)]


def main(words: Sequence[str]) -> int:
    chosen = options(words)
    with contextlib.ExitStack() as open_:
        temporary = open_.enter_context(
            tempfile.TemporaryDirectory(prefix="simpul-faults-", ignore_cleanup_errors=True)
        )
        folder: Path = chosen.folder or Path(temporary)
        try:
            started = open_.enter_context(engines(folder / "engines"))
        except EngineUnavailable as reason:
            say(f"faults: skipped: {reason}")
            return int(required())
        deployment, smtp_recorder = open_.enter_context(prepared(folder / "site", started))
        faults = wanted(chosen, deployment, started)
        figures = asyncio.run(Run(deployment, smtp_recorder, faults, chosen.pause, chosen.calm, chosen.seed).done())
    sys.stdout.write(table(figures))
    for line in figures.findings:
        say(f"FOUND: {line}")
    if not chosen.short and not chosen.only:
        PAGE.write_text(page(figures, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        say(f"written: {PAGE}")
    return 1 if figures.findings else 0


if __name__ == "__main__":
    # An end that is asked for stops what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
