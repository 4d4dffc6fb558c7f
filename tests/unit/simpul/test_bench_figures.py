"""`make bench ARGS="--json FILE"`: the figures that are compared between versions."""

from __future__ import annotations

from bench.report import regressions
from bench.rounds import Round, StoreSize
from bench.run import main_figures
from bench.submissions import Submitted, report


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


def _page(rate: str, cpu: str) -> str:
    return f"""# Benchmarks

## Result

|  | plain baseline | Simpul | Simpul / plain | 2 / 1 workers |
| --- | --- | --- | --- | --- |
| lifecycles per second | 183.3 [164.8 - 201.8] | 22.4 [21.9 - 23.0] | {rate} | 0.88 |
| server CPU per lifecycle, ms | 5.81 [5.08 - 6.53] | 59.13 [57.94 - 60.32] | {cpu} | - |

## Pages
"""


def test_ratios_that_are_clearly_worse_than_the_committed_ones_are_named():
    assert regressions(_page("0.12", "10.18"), _page("0.12", "10.18")) == []
    assert regressions(_page("0.30", "2.00"), _page("0.12", "10.18")) == []
    assert regressions(_page("0.11", "11.00"), _page("0.12", "10.18")) == []
    assert regressions(_page("0.10", "14.00"), _page("0.12", "10.18")) == [
        "lifecycles per second, Simpul / plain: 0.10, committed 0.12",
        "server CPU per lifecycle, ms, Simpul / plain: 14.00, committed 10.18",
    ]
    assert regressions(_page("0.10", "14.00"), "# Benchmarks\n") == []


def test_a_jump_of_load_is_over_when_submissions_are_as_fast_as_before():
    calm, slow = Submitted(1.0, 0.06), [Submitted(2.5, 0.9), Submitted(3.9, 1.3), Submitted(4.2, 0.7, "503")]
    measured = report([calm, *slow, Submitted(8.0, 0.11)], [(1, 2), (35, 2), (1, 5)], [2.0, 4.0, 9.0])
    assert [phase["submissions"] for phase in measured["phases"]] == [1, 2, 2]
    assert round(measured["recovery_seconds"], 2) == 1.2
    assert (measured["submissions"], measured["failures"], measured["first_failures"]) == (5, 1, ["503"])
    assert report([calm], [(1, 2)], [2.0])["recovery_seconds"] == 0.0


def test_a_failure_is_neither_fast_nor_a_recovery():
    calm, refused = Submitted(1.0, 0.06), [Submitted(at, 0.001, "503") for at in (2.5, 5.0)]
    measured = report(
        [calm, *refused, Submitted(3.0, 0.08), Submitted(8.0, 0.06)], [(1, 2), (35, 2), (1, 5)], [2, 4, 9]
    )
    assert measured["phases"][1]["p50"] == 80.0
    assert round(measured["recovery_seconds"], 2) == 1.0


def test_a_phase_may_have_no_submission():
    assert report([Submitted(2.5, 0.05)], [(1, 2), (35, 2)], [2.0, 4.0])["recovery_seconds"] == 0.0
