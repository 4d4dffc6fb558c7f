"""`make bench ARGS="--json FILE"`: the figures that are compared between versions."""

from __future__ import annotations

from bench.rounds import Round, StoreSize
from bench.run import main_figures


def _round(target: str, rate: float, store: StoreSize | None = None) -> Round:
    return Round(target, {"rate": rate, "lifecycles": 10}, server_cpu=1.0, sink_cpu=0.0, store=store)


def test_the_figures_are_medians_of_the_rounds_and_means_over_their_stores():
    done = [
        _round("plain", 100.0),
        _round("simpul", 20.0, StoreSize(requests=10, events=70, bytes=90_000)),
        _round("plain", 140.0),
        _round("simpul", 40.0, StoreSize(requests=30, events=250, bytes=310_000)),
    ]
    assert main_figures(done, {"intake": 70_000.0}) == {
        "lifecycles_per_second": {"baseline": 120.0, "embedded": 30.0, "embedded_workers_2": None},
        "events_per_lifecycle": 8.0,
        "bytes_per_request": 10_000.0,
        "rebuild_events_per_second": {"intake": 70_000.0},
    }


def test_what_was_not_measured_is_none():
    figures = main_figures([_round("plain", 100.0)], {})
    assert figures["lifecycles_per_second"]["embedded"] is None
    assert figures["events_per_lifecycle"] is None
