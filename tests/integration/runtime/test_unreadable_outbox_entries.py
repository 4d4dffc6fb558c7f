"""An outbox entry that cannot be decoded stays in the outbox and holds back only the later events of its request."""

from __future__ import annotations

import asyncio
import logging

import pytest
from prometheus_client import REGISTRY

from shared.contracts.envelope import decode_header, encode_event
from shared.contracts.registry import UnreadableEvent
from shared.runtime import relay as relaying
from shared.storage.port import OutboxEntry
from tests.integration.runtime.test_relay_progress import Log, Store, relay, saved
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import withdrawn
from tests.support.services.runtime_harness import OTHER
from tests.support.virtual_time import run_virtually

EVENT = encode_event(make_event(withdrawn, 2))
LATER_ENVELOPE = b'{"specversion":"2.0"}'
WITHOUT_TIME_ZONE = EVENT.replace(b"+00:00", b"")
WITHOUT_SEQUENCE = EVENT.replace(b'"0000000002"', b'"0000000000"')
UNREADABLE = [b"\xff damaged", LATER_ENVELOPE, WITHOUT_TIME_ZONE, WITHOUT_SEQUENCE]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_the_header_of_an_unreadable_event_is_not_decoded(raw: bytes):
    decode_header(EVENT)
    with pytest.raises(UnreadableEvent):
        decode_header(raw)


@pytest.mark.parametrize("raw", UNREADABLE)
def test_an_unreadable_entry_holds_back_only_the_later_events_of_its_request(
    raw: bytes, caplog: pytest.LogCaptureFixture
):
    async def with_an_unreadable_entry() -> tuple[list[tuple[str, int]], list[str], bool]:
        store, log = Store(), Log()
        store.save(saved(REQUEST, 1))
        unreadable = store.save(OutboxEntry(REQUEST, "unreadable", raw))
        store.save(saved(REQUEST, 3))
        store.save(saved(OTHER, 1))
        sweeping = relay(store, log)
        running = asyncio.create_task(sweeping.run())
        await asyncio.sleep(3 * relaying.SWEEP_INTERVAL_SECONDS)
        sweeping.enqueue([store.save(saved(REQUEST, 4)), store.save(saved(OTHER, 2))])
        await asyncio.sleep(3 * relaying.SWEEP_INTERVAL_SECONDS)
        await sweeping.drain()
        assert await sweeping.sweep() == {REQUEST}
        assert unreadable.event_id not in sweeping._queue.to_remove
        running.cancel()
        return log.sequences, list(store.outbox), running.done()

    sequences, outbox, ended = run_virtually(with_an_unreadable_entry())
    assert sorted(sequences) == [(REQUEST, 1), (OTHER, 1), (OTHER, 2)]
    assert outbox == ["unreadable", f"{REQUEST}-3", f"{REQUEST}-4"]
    assert REGISTRY.get_sample_value("simpul_outbox_entries", {"service": "intake"}) == 3
    assert not ended
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1


def test_the_events_after_an_unreadable_entry_are_published_once_it_can_be_read():
    async def repaired() -> list[tuple[str, int]]:
        store, log = Store(), Log()
        damaged = store.save(OutboxEntry(REQUEST, f"{REQUEST}-2", b"damaged"))
        waiting = relay(store, log)
        running = asyncio.create_task(waiting.run())
        waiting.enqueue([store.save(saved(REQUEST, 3))])
        await asyncio.sleep(3 * relaying.SWEEP_INTERVAL_SECONDS)
        assert log.sequences == []
        store.outbox[damaged.event_id] = saved(REQUEST, 2)
        await asyncio.sleep(3 * relaying.SWEEP_INTERVAL_SECONDS)
        running.cancel()
        return log.sequences

    assert run_virtually(repaired()) == [(REQUEST, 2), (REQUEST, 3)]


def test_an_event_that_the_log_refused_is_retried_although_an_unreadable_entry_follows():
    async def refused() -> list[tuple[str, int]]:
        store, log = Store(), Log()
        log.refused.add(REQUEST)
        partly = relay(store, log)
        running = asyncio.create_task(partly.run())
        partly.enqueue([store.save(saved(REQUEST, 1))])
        await asyncio.sleep(1)
        store.save(OutboxEntry(REQUEST, "unreadable", b"damaged"))
        partly.enqueue([store.save(saved(REQUEST, 3))])
        await asyncio.sleep(1)
        log.refused.clear()
        await asyncio.sleep(10)
        running.cancel()
        return log.sequences

    assert run_virtually(refused()) == [(REQUEST, 1)]
