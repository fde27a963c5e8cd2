from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.testing.simulator import simulate
from leeward.values.runs import RunState
from leeward.workflow import Definition
from leeward.workflow.commands import Answer, Returned, StepQuestion, StepVerdict
from tests.workflow import meaning
from tests.workflow.crashing import World, differences_of, faults_of
from tests.workflow.flows import order_flow
from tests.workflow.killing import Plan, kill
from tests.workflow.strategies import INPUTS, Functions, definitions

SEEDS = st.integers(0, 2**32)


@settings(max_examples=80, deadline=None)
@given(definitions(), st.sampled_from(INPUTS), SEEDS)
def test_the_embedded_engine_does_what_the_kernel_says(
    definition: Definition, value: object, seed: int
) -> None:
    """The same end, and each function called as often by each key as in the simulation."""
    functions = Functions(seed)

    def telling(question: StepQuestion) -> StepVerdict:
        return functions.verdict(question.function, question.key, question.attempt)

    world = World(functions.answer, telling)
    row = world.finish(definition, "run", value)
    world.journal.close()
    simulated = simulate(definition, value, functions, verdicts=telling)
    assert row.answer == simulated.end
    calls = {key: len(answers) for key, answers in world.calls.items()}
    assert calls == Counter(call.key for call in simulated.calls)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS)
def test_a_death_anywhere_repeats_no_unsafe_step_and_loses_no_run(seed: int, point: int) -> None:
    """Every repeated call carries the same key and payload, and every run ends."""
    points = faults_of(seed, None)[2].point
    wrong, row, _ = faults_of(seed, 1 + point % points)
    assert wrong == []
    assert row.state is not RunState.RUNNING


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 60))
def test_a_death_among_keyed_steps_changes_nothing(seed: int, point: int) -> None:
    """The run ends as it would have, with the same calls by the same keys."""
    assert differences_of(seed, point) == []


def test_the_order_survives_a_death_at_each_point() -> None:
    """Every write and every call, before and after: no wrong end, and money and goods agree."""

    def well(*_: object) -> Answer:
        return Returned()

    world = World(well)
    world.finish(order_flow, "r", {"id": "1"})
    points, ends = world.point, Counter[str]()
    for at in range(1, points + 1):
        world = World(well)
        world.dies_at = at
        row = world.finish(order_flow, "r", {"id": "1"})
        done = {key.rpartition("order/r/")[2]: len(calls) for key, calls in world.calls.items()}
        ends[row.state.value] += 1
        if row.state is RunState.SUCCEEDED:
            assert done["ship-order"] == 1
            assert "process-payment/undo" not in done
        else:
            paid, stocked = "process-payment" in done, "update-inventory" in done
            assert not paid or "process-payment/undo" in done
            assert not stocked or "update-inventory/undo" in done
            assert done.get("ship-order", 0) <= 1
        assert max(done.get(name, 0) for name in ("update-inventory", "ship-order")) <= 1
    # A death during an unsafe step is a failure of the order, everywhere else nothing is seen.
    assert set(ends) == {"succeeded", "failed"}
    assert ends["succeeded"] > ends["failed"]


def test_processes_that_are_killed_and_stopped_keep_the_promises(tmp_path: Path) -> None:
    """With clocks an hour apart, and steps that kill. `tests.workflow.killing` does more of it."""
    tmp_path.chmod(0o700)
    outcome = kill(tmp_path, Plan(kills=4, stops=1, processes=3, lease=1.0, seed=7))
    assert outcome.wrong == []
    assert outcome.figures["acknowledged starts"] > 0


def test_flows_that_wait_and_run_each_other_mean_the_same() -> None:
    """Against an interpreter of their own. `python -m tests.workflow.meaning` tries more."""
    for seed in range(25):
        assert meaning.difference_of(seed) is None, f"seed {seed}"
        assert meaning.flaws_of_death(seed) is None, f"seed {seed}"
