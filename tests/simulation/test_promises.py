"""One run of the simulation through every scenario, and what it has to show."""

from __future__ import annotations

import pytest

from leeward.errors import Outcome
from tests.simulation.episodes import episodes, run_episodes
from tests.simulation.report import Summary
from tests.simulation.scenarios import SCENARIOS

CALLS = 600 * len(SCENARIOS)


def check_every_invariant(summary: Summary) -> None:
    """Whatever goes wrong, no call breaks a promise of the routing."""
    assert not summary.broken, "\n\n".join(summary.reports[:3])


def check_that_leeward_alone_doubles_nothing(summary: Summary) -> None:
    """The same faults that make the naive router charge twice never make leeward do so."""
    leeward, naive = summary.total, summary.total_of("naive")
    assert leeward.unsafe > CALLS / 4
    assert (leeward.doubles, leeward.false_failures, leeward.left_home) == (0, 0, 0)
    assert min(naive.doubles, naive.false_failures, naive.left_home) > 100


def check_where_the_naive_router_doubles(summary: Summary) -> None:
    """The baseline fails for the reason it should: work was done and nobody heard of it."""
    naive = summary.baselines["naive"]
    for scenario in ("black hole, work done", "black hole, late zombies", "answers lost", "storm"):
        assert naive[scenario].doubles > 4 * naive["calm"].doubles, scenario


def check_the_calls_of_each_scenario(summary: Summary) -> None:
    """The calls are shared out over all scenarios, and each call ends exactly once."""
    assert list(summary.leeward) == [scenario.name for scenario in SCENARIOS]
    for all_counters in (summary.leeward, *summary.baselines.values()):
        assert {counters.calls for counters in all_counters.values()} == {CALLS // len(SCENARIOS)}


def check_that_everything_was_met(summary: Summary) -> None:
    """Every outcome and every special way of ending was met often enough to count."""
    seen = summary.total.seen
    happenings = ["read-back", "resolved", "late zombie", "batch sent in part", "deduplicated"]
    wanted = [outcome.name for outcome in Outcome] + happenings
    assert {name: seen[name] for name in wanted if seen[name] < 5} == {}


def check_the_cost_of_a_calm_day(summary: Summary) -> None:
    """Safety is not bought with extra requests: next to none without faults."""
    calm = summary.leeward["calm"]
    assert calm.attempts < 1.01 * calm.calls


def check_one_dead_target(summary: Summary) -> None:
    """With one target refusing, no more calls fail than on a calm day and at a dead home."""
    refused, all_refused = summary.leeward["refused"], summary.leeward["all targets refused"]
    assert refused.unknown < 0.01 * refused.calls
    assert refused.succeeded > 2 * all_refused.succeeded


FINDINGS = (
    check_every_invariant,
    check_that_leeward_alone_doubles_nothing,
    check_where_the_naive_router_doubles,
    check_the_calls_of_each_scenario,
    check_that_everything_was_met,
    check_the_cost_of_a_calm_day,
    check_one_dead_target,
)


@pytest.mark.timeout(900)  # twelve seconds of work, on a machine that others use as well
def test_a_run_through_every_scenario_keeps_the_promises(subtests: pytest.Subtests) -> None:
    """One test, because the run takes most of its time."""
    summary = Summary(seed=1, workers=1)
    summary.add_all(run_episodes(list(episodes(CALLS, seed=1)), workers=1))
    for check in FINDINGS:
        with subtests.test(check.__name__):
            check(summary)
