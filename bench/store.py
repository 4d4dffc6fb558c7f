"""`make bench-store`: an empty data folder, or empty engines, filled with the requests of two years, without a server.

The deciders of all services take each request through its past, in one process per core; only the writing is in bulk. The same
seed, number of requests and time make the same store.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from bench.copies import Applying, Template
from shared.backends.platform import Platform, open_platform
from shared.calendar import WorkingCalendar, official_calendar, today
from shared.contracts.facts import Staff
from shared.identity.accounts import Account, Role
from shared.identity.passwords import hash_new_password
from shared.settings import Settings, load_settings
from simpul.client_types import Upload
from simpul.demo.data_writer import PastRecords, records_of, skip_to_end, store_documents, write_records
from simpul.demo.past_documents import PastDocuments
from simpul.demo.past_office import SEASON, PastStaff, day_weight, office_time, with_numbers
from simpul.demo.past_requests import SHARED_DOCUMENTS, DocumentsOf, PastRequest
from simpul.demo.sample_requests import SampleRequest, sample_request
from simpul.generate.lifecycle_simulator import NAMESPACE, build_deciders, pdf_content

BATCH_REQUESTS = 1_000
"""Requests that a process makes at a time; their events are interleaved in the log."""
MAX_GROUP = 20
"""Requests that take the same course because they came in at about the same time."""
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

Submission = tuple[int, tuple[datetime, str]]
"""The index of a request, its time of submission and its registration number."""


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What to write: so many requests in the days before a time; `own_documents` gives each request files of its own, of 8 KB."""

    requests: int
    until: datetime
    seed: int = 1
    days: int = 2 * 365
    own_documents: bool = False


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
    times = sorted(office_time(day, rng) for day in rng.choices(days, weights, k=plan.requests))
    return enumerate(with_numbers(times))


def make_batch(plan: StorePlan, batch: Sequence[Submission]) -> Batch:
    """Take these requests from their submission to the end of the plan."""
    deciders, calendar, staff = build_deciders(), official_calendar(), _past_staff()
    documents = OWN_DOCUMENTS if plan.own_documents else SHARED_DOCUMENTS
    made = Batch(PastRecords([], {name: [] for name in deciders}), {}, Counter())
    for group in _groups(plan, batch):
        index, (at, number) = group[-1]
        request = PastRequest(
            deciders, staff, calendar, plan.until,
            seed=plan.seed, index=index, submitted_at=at, number=number, documents=documents,
        )  # fmt: skip
        request.run()
        made.records.extend(records_of([request.simulator]))
        made.documents.update(request.documents.contents)
        made.statuses[request.status.value] += len(group)
        if len(group) > 1:
            template = Template(request.simulator)
            for submission in group[:-1]:
                made.records.extend(template.copy(_applying(plan, submission)))
    return made


def _groups(plan: StorePlan, batch: Sequence[Submission]) -> Iterator[list[Submission]]:
    """Yield runs of submissions of about the same time, which take the same course."""
    group: list[Submission] = []
    for submission in batch:
        is_near = group and submission[1][0] - group[0][1][0] <= COPY_WINDOW
        if group and (plan.own_documents or not is_near or len(group) == MAX_GROUP):
            yield group
            group = []
        group.append(submission)
    yield group


def _applying(plan: StorePlan, submission: Submission) -> Applying:
    index, (at, number) = submission
    form = sample_request(plan.seed, index, today(at)).form
    return Applying(str(uuid.uuid5(NAMESPACE, str(index))), number, at, form)


def _past_staff() -> PastStaff:
    def with_role(role: Role) -> list[Staff]:
        return [Staff(username=username, name=name) for username, (name, its_role) in STAFF.items() if its_role is role]

    return PastStaff(with_role(Role.OFFICER), with_role(Role.STRUCTURAL), with_role(Role.TECHNICAL))


async def make_batches(plan: StorePlan, processes: int) -> AsyncIterator[Batch]:
    """Yield the requests of the plan in batches, some of which are made ahead in other processes."""
    every = submissions(plan, official_calendar())
    parts = iter(lambda: list(islice(every, BATCH_REQUESTS)), [])
    if plan.requests <= BATCH_REQUESTS:
        for part in parts:
            yield make_batch(plan, part)
        return
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
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
    platform = open_platform(settings)
    try:
        await platform.backend.prepare()
        await platform.prepare()
        if await platform.log.end():
            raise SystemExit("There are requests already; a store is written into an empty folder or empty engines.")
        await _add_staff(platform, password)
        deciders = build_deciders()
        stores = {name: platform.state_store(name, decider.indexed_columns) for name, decider in deciders.items()}
        for store in stores.values():
            await store.prepare()
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
        return statuses
    finally:
        await platform.close()


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
