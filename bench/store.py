"""`make bench-store`: an empty data folder, or empty engines, filled with the requests of two years, without a server.

The deciders of all services take each request through its past, in one process per core; only the writing is in bulk. The same
seed, number of requests and time make the same store.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain, groupby
from pathlib import Path

from bench.copies import Applying, Template
from services.assignment.oversight.projection import FiguresProjection
from shared.backends.platform import Platform, open_platform
from shared.calendar import WorkingCalendar, official_calendar, today
from shared.contracts.facts import Staff
from shared.identity.accounts import Account, Role
from shared.identity.passwords import hash_new_password
from shared.settings import Settings, load_settings
from shared.storage.compression import compress
from shared.storage.port import StateStore, Write
from simpul.client_types import Upload
from simpul.demo.data_writer import PastRecords, records_of, skip_to_end, store_documents, write_records
from simpul.demo.past_documents import PastDocuments
from simpul.demo.past_office import SEASON, PastStaff, day_weight, office_time, with_numbers
from simpul.demo.past_requests import SHARED_DOCUMENTS, DocumentsOf, PastRequest
from simpul.demo.sample_requests import SampleRequest, sample_request
from simpul.generate.lifecycle_simulator import NAMESPACE, build_deciders, pdf_content

BATCH_REQUESTS = 1_000
"""Requests that a process makes at a time, or those of a day if they are more; their events are interleaved in the log."""
MAX_COPIES, COURSES_OF_DAY = 40, 16
"""Requests that take the same course as one that came in shortly after them; more on a day with more than so many courses."""
GARBAGE_THRESHOLD = 100_000
"""Objects after which a process looks for garbage: it makes many, and few in cycles."""
COPY_WINDOW = timedelta(minutes=60)
PASSWORD = "Kopra-Tembikar-Layar-41"
STAFF = {
    "petugas": ("Salma Hadirun", Role.OFFICER),
    "kepala": ("Arnold Mangowal", Role.STRUCTURAL),
    "teknis": ("Taufik Sebubun", Role.TECHNICAL),
    "teknis-2": ("Hartina Modole", Role.TECHNICAL),
    "teknis-3": ("Stevan Wayamli", Role.TECHNICAL),
    "teknis-4": ("Zainal Patani", Role.TECHNICAL),
    "teknis-5": ("Emiliana Gemia", Role.TECHNICAL),
    "admin": ("Ahli Sistem", Role.ADMIN),
}


@dataclass(frozen=True, slots=True)
class Submission:
    """When a request came in, its registration number, and the index of the request whose course it takes."""

    index: int
    at: datetime
    number: str
    course: int


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What to write: so many requests in the days before a time; `own_documents` gives each request files of its own, of 8 KB.

    Events and records are `compressed` as SQLite stores them, so that the process that writes them has less to do.
    """

    requests: int
    until: datetime
    seed: int = 1
    days: int = 2 * 365
    own_documents: bool = False
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that were made and not written yet, and how many of them have each status."""

    records: PastRecords
    documents: dict[str, bytes]
    statuses: Counter[str]


class SmallDocuments(PastDocuments):
    """Documents of 8 KB that differ for every request."""

    def upload(self, make: Callable[[SampleRequest], Upload], round_number: int) -> Upload:
        content = pdf_content(f"{self.request_id}:{make.__name__}:{round_number}")
        return Upload(f"{make.__name__}.pdf", content, "application/pdf")


OWN_DOCUMENTS: DocumentsOf = partial(SmallDocuments, shared=False)


def submissions(plan: StorePlan, calendar: WorkingCalendar) -> Iterator[Submission]:
    """Yield when each request came in: by the season of the office, and seldom on a day off."""
    rng = random.Random(plan.seed)
    days = [today(plan.until) - timedelta(days=count) for count in range(1, plan.days + 1)]
    weights = [SEASON[day.month - 1] * day_weight(day, calendar) for day in days]
    counts = Counter(rng.choices(days, weights, k=plan.requests))
    times = sorted(chain.from_iterable(_day_times(plan, rng, day, count) for day, count in counts.items()))
    index_at = {at: index for index, (at, course) in enumerate(times) if at == course}
    numbered = with_numbers(at for at, _ in times)
    for index, ((_, course), (at, number)) in enumerate(zip(times, numbered, strict=True)):
        yield Submission(index, at, number, index_at[course])


def _day_times(plan: StorePlan, rng: random.Random, day: date, count: int) -> Iterator[tuple[datetime, datetime]]:
    """Yield times of a day, each with that of the request whose course is taken."""
    most = max(MAX_COPIES, count // COURSES_OF_DAY)
    while count > 0:
        course, copies = office_time(day, rng), 0 if plan.own_documents else min(count - 1, most)
        yield course, course
        for _ in range(copies):
            yield course - COPY_WINDOW * rng.random(), course
        count -= 1 + copies


def make_batch(plan: StorePlan, batch: Sequence[Submission]) -> Batch:
    """Take these requests from their submission to the end of the plan."""
    deciders, calendar, staff = build_deciders(), official_calendar(), _past_staff()
    documents = OWN_DOCUMENTS if plan.own_documents else SHARED_DOCUMENTS
    made = Batch(PastRecords([], {name: [] for name in deciders}), {}, Counter())
    templates: dict[int, Template] = {}
    copies = Counter(submission.course for submission in batch)
    for one in sorted(batch, key=lambda submission: submission.index != submission.course):
        if one.index != one.course:
            made.records.extend(templates[one.course].copy(_applying(plan, one)))
            continue
        request = PastRequest(
            deciders, staff, calendar, plan.until,
            seed=plan.seed, index=one.index, submitted_at=one.at, number=one.number, documents=documents,
        )  # fmt: skip
        request.run()
        made.records.extend(records_of([request.simulator]))
        made.documents.update(request.documents.contents)
        made.statuses[request.status.value] += copies[one.course]
        if copies[one.course] > 1:
            templates[one.course] = Template(request.simulator)
    return replace(made, records=_compressed(made.records)) if plan.compressed else made


def _compressed(records: PastRecords) -> PastRecords:
    def stored(write: Write) -> Write:
        return replace(write, record=replace(write.record, body=compress(write.record.body)))

    events = [(subject, [*map(compress, of_subject)]) for subject, of_subject in records.events]
    return PastRecords(events, {name: [*map(stored, writes)] for name, writes in records.writes.items()})


def batches(every: Iterable[Submission]) -> Iterator[list[Submission]]:
    """Yield the submissions of whole days, so that those of one course are together."""
    batch: list[Submission] = []
    for _, of_day in groupby(every, key=lambda submission: today(submission.at)):
        batch += of_day
        if len(batch) >= BATCH_REQUESTS:
            yield batch
            batch = []
    if batch:
        yield batch


def _applying(plan: StorePlan, submission: Submission) -> Applying:
    form = sample_request(plan.seed, submission.index, today(submission.at)).form
    return Applying(str(uuid.uuid5(NAMESPACE, str(submission.index))), submission.number, submission.at, form)


def _past_staff() -> PastStaff:
    def with_role(role: Role) -> list[Staff]:
        return [Staff(username=username, name=name) for username, (name, its_role) in STAFF.items() if its_role is role]

    return PastStaff(with_role(Role.OFFICER), with_role(Role.STRUCTURAL), with_role(Role.TECHNICAL))


async def make_batches(plan: StorePlan, processes: int) -> AsyncIterator[Batch]:
    """Yield the requests of the plan in batches, some of which are made ahead in other processes."""
    parts = batches(submissions(plan, official_calendar()))
    if plan.requests <= BATCH_REQUESTS:
        for part in parts:
            yield make_batch(plan, part)
        return
    loop = asyncio.get_running_loop()
    garbage = partial(gc.set_threshold, GARBAGE_THRESHOLD)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=garbage) as pool:
        made: deque[asyncio.Future[Batch]] = deque()
        for part in parts:
            made.append(loop.run_in_executor(pool, make_batch, plan, part))
            if len(made) > 2 * processes:
                yield await made.popleft()
        while made:
            yield await made.popleft()


async def fill(
    settings: Settings, plan: StorePlan, password: str = PASSWORD, processes: int = os.cpu_count() or 1
) -> Counter[str]:
    """Fill the stores that the settings select and return how many requests have each status.

    Raises SystemExit if they are not empty.
    """
    platform, plan = open_platform(settings), replace(plan, compressed=not settings.distributed)
    try:
        await platform.backend.prepare()
        await platform.prepare()
        if await platform.log.end():
            raise SystemExit("There are requests already; a store is written into an empty folder or empty engines.")
        async with platform.backend.bulk_load():
            await _add_staff(platform, password)
            return await _write_requests(platform, plan, processes)
    finally:
        await platform.close()


async def _write_requests(platform: Platform, plan: StorePlan, processes: int) -> Counter[str]:
    deciders = build_deciders()
    stores = {name: platform.state_store(name, decider.indexed_columns) for name, decider in deciders.items()}
    for store in stores.values():
        await store.prepare(for_lists=False)
    statuses: Counter[str] = Counter()
    stored: set[str] = set()
    async for batch in make_batches(plan, processes):
        await store_documents(
            platform.documents, {key: content for key, content in batch.documents.items() if key not in stored}
        )
        if not plan.own_documents:
            stored |= batch.documents.keys()
        await write_records(platform.log, stores, batch.records)
        statuses += batch.statuses
    await skip_to_end(platform.log, tuple(deciders))
    for store in stores.values():
        await store.prepare()
        await store.complete_search(lambda _count: None)
    await compute_figures(platform, stores["assignment"])
    return statuses


async def compute_figures(platform: Platform, assignment: StateStore) -> None:
    """Compute the figures of the dashboard, which a server would have kept up to date over the years."""
    figures = FiguresProjection(assignment, platform.office, lambda: platform.calendar, platform.clock, pauses=False)
    await figures.update()


async def _add_staff(platform: Platform, password: str) -> None:
    hashed = await hash_new_password(password)
    for username, (name, role) in STAFF.items():
        await platform.accounts.add(Account(username, name, f"{username}@kantor.example", (role,), hashed))


def midnight() -> datetime:
    """The start of today, so that stores of the same day are the same."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    arguments.add_argument("folder", type=Path, help="the data folder; SIMPUL_MODE=distributed writes to the engines")
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--password", default=PASSWORD, help="of every account")
    arguments.add_argument("--until", type=datetime.fromisoformat, default=midnight(), help="with a time zone")
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--own-documents", action="store_true", help="files of 8 KB for each request")
    options = arguments.parse_args()
    plan = StorePlan(options.requests, options.until, options.seed, own_documents=options.own_documents)
    started_at = time.perf_counter()
    statuses = asyncio.run(fill(load_settings(data=options.folder), plan, options.password, options.processes))
    seconds = time.perf_counter() - started_at
    print(", ".join(f"{count:,} {status}" for status, count in statuses.most_common()))
    print(f"{options.requests:,} requests in {seconds:.0f} s, {options.requests / seconds:,.0f}/s")
    print(f"Accounts: {', '.join(STAFF)}")


if __name__ == "__main__":
    main()
