"""Measure, print the table, and fail if a gate is missed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tests.routing.real_sockets.figures import (
    FAULTS,
    Figures,
    Seconds,
    measure,
    measure_many,
    measure_reports,
    measure_tail,
)
from tests.routing.real_sockets.load import RUNNERS, Server, Traffic, servers
from tests.routing.real_sockets.overload import CORE, LATE, WAITING, overload, wait_many
from tests.routing.real_sockets.places import (
    FULL,
    FULL_STORES,
    Ends,
    invoke_at_once,
    store_at_once,
)

FIRST, THIRD, ATTEMPTS, EXTRA = 0.30, 0.95, 20.0, 0.05
"""Gates: shares of the healthy rate, attempts a second, share of further calls by hedging."""

USUAL_RATE = 400.0
"""Calls a second: few enough that two cores with other work on them are not what is measured. With
``0`` as an argument of the program every thread and task calls as fast as it is answered."""

AIMS = "aims: first >= 80 %, third >= 99 %, worst <= 4x, p99 of the next second <= 1.5x"


def missed(figures: Figures) -> list[str]:
    """Return the gates that these figures miss."""
    gates = {
        "lost": figures.lost == 0,
        "first second": figures.first >= FIRST,
        "from the third": figures.third >= THIRD,
        "attempts": figures.attempts <= ATTEMPTS,
    }
    return [name for name, kept in gates.items() if not kept]


def crowds(started: Sequence[Server]) -> list[str]:
    """Make more calls at once than there are places, print how they end; return what is missed."""
    bad = []
    for runner in RUNNERS:
        rows = {
            "invoke": invoke_at_once(runner, started, FULL),
            "slowed": invoke_at_once(runner, started, FULL, slowed=True),
            "store": store_at_once(runner, started[0], FULL_STORES),
        }
        for name, ends in rows.items():
            wrong = cut_off(ends) or (name == "store" and ends.errors.total() > 0)
            bad += [f"places, {name}"] * wrong
            print(
                f"{runner:8} {name} at once: {ends.well} answered, {ends.errors.total()} refused "
                f"without having been sent, by target {[*ends.by_target.values()]}"
                + "  missed"
                * wrong
            )
    return bad


def cut_off(ends: Ends) -> bool:
    """Return whether a call failed that was not refused after it had waited everywhere."""
    return bool(set(ends.errors) - {"Overloaded"} or ends.unasked or ends.unreached)


def main(rate: float = USUAL_RATE) -> int:
    """Measure everything at `rate` calls a second; return 1 if a gate is missed."""
    load = os.getloadavg()[0]
    print(f"{rate:g} calls a second (0: as fast as they are answered)")
    print(f"load of this machine before: {load:.1f} on {os.cpu_count()} cores; shares of each run")
    print(
        f"{'runner':8} {'fault':9} {'hedge':5} {'healthy/s':>9} {'lost':>4} {'first':>6} "
        f"{'third':>6} {'tries/s':>7} {'worst':>6} {'p99':>6}  missed"
    )
    bad: list[str] = []
    with servers(3) as started:
        for runner in RUNNERS:
            for fault in FAULTS:
                for hedge in (False, True):
                    found = measure(runner, fault, started, Seconds(), Traffic(rate, hedge))
                    wrong = missed(found)
                    bad += wrong
                    print(
                        f"{runner:8} {fault:9} {'on' if hedge else 'off':5} {found.rate:9.0f} "
                        f"{found.lost:4} {found.first:6.1%} {found.third:6.1%} "
                        f"{found.attempts:7.1f} {found.worst:5.0f}x {found.p99:5.1f}x  "
                        f"{', '.join(wrong)}",
                        flush=True,
                    )
        for runner in RUNNERS:
            off, on = (
                measure_tail(runner, started, Seconds(), Traffic(rate, hedge))
                for hedge in (False, True)
            )
            bad += ["extra calls"] * (on.extra > EXTRA) + ["lost"] * (on.lost + off.lost > 0)
            print(
                f"{runner:8} 2 % slow: p99 {1000 * off.p99:.1f} ms, hedged {1000 * on.p99:.1f} ms "
                f"({on.p99 / off.p99:.2f}x), {on.extra:.1%} more calls (gate 5 %)"
            )
            opened, lost, calls = measure_reports(runner, started, 8.0, 20.0)
            hurried, _, hurried_calls = measure_reports(runner, started, 4.0, 0.1)
            bad += ["slow functions"] * (opened + hurried + lost > 0)
            one, fifty = (measure_many(runner, started, count) for count in (1, 50))
            bad += ["many functions"] * (fifty > 2 * one)
            print(
                f"{runner:8} functions of 2 s: {opened} opened, {lost} of {calls} calls lost; "
                f"callers with 0.1 s: {hurried} opened in {hurried_calls} calls; black hole: "
                f"{one} unknown of one function, {fifty} of fifty (gates 0, 0, 0, twice)"
            )
        bad += crowds(started)
    print(f"gates: lost 0, first >= 30 %, third >= 95 %, tries <= 20 a second; {AIMS}")
    print(f"missed: {len(bad)}")
    return 1 if bad else 0


def main_of_places() -> int:
    """Measure what becomes of more calls than there are places; return 1 if a gate is missed."""
    with servers(3) as started:
        bad = crowds(started)
    print(f"missed: {len(bad)}")
    return 1 if bad else 0


def main_of_overload(seconds: float = 20.0) -> int:
    """Measure who is served where no healthy target has a place; return 1 if a gate is missed."""
    bad = []
    with servers(3) as started:
        for runner in RUNNERS:
            naive, found = (
                overload(runner, started, seconds, naive=each) for each in (True, False)
            )
            core, late = wait_many(runner, started)
            wrong = {
                "well": found.well < naive.well,
                "doubles": found.doubles > 0,
                "late": max(found.late, late) > LATE,
                "core": core > CORE,
            }
            bad += [name for name, is_wrong in wrong.items() if is_wrong]
            print(
                f"{runner:8} 30 % of 500, slow by 2 s, refused: {found.well:.1%} of "
                f"{found.calls} idempotent calls went well (naive {naive.well:.1%}), "
                f"{found.doubles} doubles (naive {naive.doubles}); {WAITING} calls that wait: "
                f"{core:.2f} of a core; at most {max(found.late, late):.2f} s after the deadline"
            )
    print(f"gates: as naive, 0 doubles, {CORE} of a core, {LATE} s; missed: {' '.join(bad) or 0}")
    return 1 if bad else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    programs = {"places": main_of_places, "overload": main_of_overload}
    if given and given[0] in programs:
        sys.exit(programs[given[0]]())
    sys.exit(main(*map(float, given)))
