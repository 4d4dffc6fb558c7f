"""`simpul demo --history`: fill an empty data folder with the requests of past months, without a server and without emails."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping

from shared.backends.platform import Platform
from shared.contracts.facts import Staff
from shared.identity.accounts import Role
from shared.runtime.service_runtime import ServiceApp
from simpul.cli.console import counting_progress_bars
from simpul.cli.context import current_settings, data_folder_lock, prepared_services
from simpul.cli.errors import Failed
from simpul.cli.serve import create_initial_accounts
from simpul.demo.accounts import DEMO_STAFF, create_or_reset
from simpul.demo.data_writer import records_of, skip_to_end, store_documents, write_records
from simpul.demo.past_office import PastStaff, submission_times
from simpul.demo.past_requests import PastRequest, past_request
from simpul.registry import SERVICE_NAMES

BATCH_REQUESTS = 100
"""Requests whose events are interleaved in the log."""
MORE_STAFF = (
    ("demo-petugas-2", "Hasrun Wairoya", Role.OFFICER),
    ("demo-teknis-3", "Marlina Sangajira", Role.TECHNICAL),
    ("demo-teknis-4", "Benyamin Tolomaru", Role.TECHNICAL),
)


async def fill_history(months: int, seed: int) -> Counter[str]:
    """Fill the data folder and return how many requests have each status. Raises Failed if it has requests already."""
    settings = current_settings()
    if settings.distributed:
        raise Failed("A history is written into a data folder; `simpul move` takes it to the engines.")
    with data_folder_lock(settings, *SERVICE_NAMES):
        async with prepared_services(create=True) as (platform, services):
            if await platform.log.end():
                raise Failed(
                    f"There are requests in {settings.data} already; a history is written into an empty folder."
                )
            await create_initial_accounts(platform, SERVICE_NAMES)
            return await write_history(platform, services, await add_staff(platform), months, seed)


async def add_staff(platform: Platform) -> PastStaff:
    """Add the demo's accounts, with passwords that nobody knows, and return all staff by role."""
    for member in (*DEMO_STAFF, *MORE_STAFF):
        await create_or_reset(platform.identity, *member)

    async def with_role(role: Role) -> list[Staff]:
        accounts = await platform.accounts.accounts_with_role(role)
        return [Staff(username=account.username, name=account.name) for account in accounts]

    return PastStaff(await with_role(Role.OFFICER), await with_role(Role.STRUCTURAL), await with_role(Role.TECHNICAL))


def _past_requests(
    platform: Platform, services: Mapping[str, ServiceApp], staff: PastStaff, months: int, seed: int
) -> list[Iterator[PastRequest]]:
    """Return the requests in batches, which are made while they are written."""
    deciders = {name: service.runtime.executor.decider for name, service in services.items()}
    now, calendar = platform.clock(), platform.calendar
    rng = random.Random(seed)  # noqa: S311 - sample data, no secret
    times = list(enumerate(submission_times(months, now, calendar, rng)))
    return [
        (
            past_request(deciders, staff, calendar, now, seed=seed, index=index, submitted_at=at, number=number)
            for index, (at, number) in times[start : start + BATCH_REQUESTS]
        )
        for start in range(0, len(times), BATCH_REQUESTS)
    ]


async def write_history(
    platform: Platform, services: Mapping[str, ServiceApp], staff: PastStaff, months: int, seed: int
) -> Counter[str]:
    """Write the requests of these months and return how many have each status; the services must not run."""
    batches = _past_requests(platform, services, staff, months, seed)
    stores = {name: service.runtime.store for name, service in services.items()}
    statuses: Counter[str] = Counter()
    stored: set[str] = set()
    with counting_progress_bars(only_on_terminal=True) as progress:
        for batch in progress.track(batches, description="Hundreds of requests"):
            requests = list(batch)
            contents = {key: content for request in requests for key, content in request.documents.contents.items()}
            await store_documents(platform.documents, {key: contents[key] for key in contents.keys() - stored})
            stored |= contents.keys()
            # An interrupted batch is written to its end, because its events and its states belong together.
            writing = asyncio.ensure_future(
                write_records(platform.log, stores, records_of([request.simulator for request in requests]))
            )
            try:
                await asyncio.shield(writing)
            finally:
                await writing
            statuses.update(request.status for request in requests)
    await skip_to_end(platform.log, tuple(services))
    return statuses
