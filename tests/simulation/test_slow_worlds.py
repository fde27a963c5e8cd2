"""Functions that take long, many functions, few places, and pages that repeat a proof."""

from __future__ import annotations

from tests.simulation.episodes import run_episode, run_leeward
from tests.simulation.false_trips import MOST_ATTEMPTS, SLOW_CASES, slow
from tests.simulation.gates import lost_calls, overload, overload_of, pinned_back
from tests.simulation.scenarios import SCENARIOS, Episode, Scenario


def test_a_slow_function_takes_no_target_away() -> None:
    """From the first call on, at three equal targets, however soon callers give up."""
    for metric, rate, seconds, patience in SLOW_CASES:
        passage = slow(rate, seconds, patience, seed=1)
        assert passage.trips == 0, metric
        assert passage.attempts_per_call(passage.between(0.0, 60.0)) < MOST_ATTEMPTS, metric
        if not patience:
            assert sum(passage.well) > 0.99 * len(passage.well), metric
    assert slow(20.0, 0.4, 0.0, seed=1, timeout=0.1).trips == 0


def test_a_black_hole_of_many_functions_is_noticed_as_soon_as_that_of_one() -> None:
    """At most twice the calls are lost in it."""
    assert lost_calls(50.0, 50, seed=1) <= 2 * lost_calls(50.0, 1, seed=1)


def test_pinned_calls_are_back_when_their_target_is() -> None:
    """After three seconds at most, though others do without it for longer."""
    assert pinned_back("request lost", seed=0) <= 3.0


def test_whoever_believes_what_a_function_relays_runs_it_twice() -> None:
    """The other routers do, by repeating what may have run; leeward does not."""
    scenario = next(each for each in SCENARIOS if each.name == "answers that repeat a proof")
    found = run_episode(Episode(scenario, 0, 1000, 1))
    assert (found.leeward.doubles, not found.broken) == (0, True)
    assert found.leeward.seen["REJECTED"] > 50, "a function that marks its answers is believed"
    assert found.baselines["naive"].doubles > 50


def test_who_waits_for_a_place_and_who_gives_up_was_put_to_the_test() -> None:
    """A wait that ends is no failure of the target, and the call goes elsewhere."""
    for name, seen in (("few places", "LOCAL"), ("callers who give up", "given up")):
        scenario = next(each for each in SCENARIOS if each.name == name)
        found = run_episode(Episode(scenario, 1, 2000, 1))
        assert not found.broken, found.reports
        assert found.leeward.seen[seen] > 20, name


def test_where_no_healthy_target_has_a_place_calls_go_where_some_go_well() -> None:
    """At least as often as in a loop that tries everything, and none runs twice."""
    for row in overload(("leeward", "naive"), worlds=[(20.0, 8)]):
        assert row.met, row
    cell, setting = overload_of(20.0, 8)
    episode = Episode(Scenario(cell.name), 0, int(20.0 * cell.ends), 1)
    assert run_leeward(episode, setting).violations == []
