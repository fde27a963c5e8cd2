"""Faults of the rules by which a target counts as silent, or may be tried; and of their worlds."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "an attempt that ends wakes no call that waits for its place",
        "src/leeward/_routing/failover.py _wake_first",
        "shared.wake_first(target)",
        "pass",
        "tests/routing/test_places.py::test_a_free_place_wakes_the_first_call_that_waits",
    ),
    Mutant(
        "a place that comes too late for a call is lost",
        "src/leeward/_routing/call.py follow_pause",
        "paused.woken and (not in_time)",
        "False",
        "tests/routing/test_budgets.py::"
        "test_a_place_that_comes_too_late_for_a_call_is_the_next_ones",
    ),
    Mutant(
        "a probe that fails lengthens the hold of the next opening",
        "src/leeward/_routing/circuits.py Circuits.open",
        "circuit.state is not CircuitState.HALF_OPEN",
        "True",
        "tests/routing/test_circuits.py::test_a_probe_that_fails_is_not_counted_as_an_opening",
    ),
    Mutant(
        "a function that is slow makes the whole verb ill",
        "src/leeward/_routing/health.py Health._weigh_success",
        "slow and one is circuit",
        "slow",
        "tests/routing/test_bounds.py::test_what_is_slow_takes_longer_than_the_bound",
    ),
    Mutant(
        "a slow answer is no evidence",
        "src/leeward/_routing/health.py Health._weigh_one_success",
        "circuit.weigh(self.policy, self.circuits.ratios, ..., failed=slow)",
        "circuit.weigh(self.policy, self.circuits.ratios, ..., failed=False)",
        "tests/routing/test_evidence.py::test_failures_and_slow_answers_add_up",
    ),
    Mutant(
        "a function of which nothing is known is silent like any other",
        "src/leeward/_routing/silence.py Silence.look",
        "True",
        "False",
        "tests/routing/test_silence.py::test_a_function_of_which_nothing_is_known_may_be_slow",
    ),
    Mutant(
        "a refusal that anybody may have given is held against the target",
        "src/leeward/_routing/health.py Health.fail",
        "reason == UNMARKED_REFUSAL",
        "False",
        "tests/routing/test_evidence.py::test_a_refusal_that_anybody_may_have_given_is_no_evidence",
    ),
    Mutant(
        "a call whose only target is gone tries it never",
        "src/leeward/_routing/choice.py _nothing_flows",
        "_trial(state, order, now)",
        "''",
        "tests/routing/test_recovery.py::"
        "test_a_call_tries_its_only_target_now_and_then_while_that_is_gone",
    ),
    Mutant(
        "a copy of the future is chosen, and then refused",
        "src/leeward/_routing/snapshot.py _age",
        "wall - at if at <= wall else inf",
        "wall - at",
        "tests/routing/test_sharing.py::test_a_copy_that_is_odd_hides_none_that_is_good",
    ),
    Mutant(
        "a call that nobody can tell of is taken for not run",
        "src/leeward/_routing/readback.py",
        "{'ran': ..., 'not_run': ..., 'running': ..., 'unknown': ....LOST}",
        "{'ran': ..., 'not_run': ..., 'running': ..., 'unknown': ....NOT_RUN}",
        "tests/app/idempotent/test_settling.py::test_what_a_probe_cannot_tell_stays_unknown",
    ),
    Mutant(
        "a refusal hides that the other attempt has run",
        "src/leeward/_routing/commands.py AttemptEnded.outlives",
        "self.ran != 'no' or later.ran == 'no'",
        "True",
        "tests/routing/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight",
    ),
    Mutant(
        "a target settles what another one may have run",
        "src/leeward/_routing/execution.py _History._may_have_run_elsewhere",
        "if not elsewhere or not isinstance(call, Invoke):\n    ...",
        "if True:\n    return False\n    ...",
        "tests/routing/test_settled_calls.py::"
        "test_a_target_that_knows_its_own_keys_settles_for_itself",
    ),
    Mutant(
        "a function that is at one target alone is cut off as if another one could run it",
        "src/leeward/_routing/attempts.py ShareOfTime.measure",
        "isinstance(state.call, Invoke) and (not reaches_another)",
        "False",
        "tests/routing/test_alone.py::test_a_function_may_take_nearly_all_the_time",
    ),
    Mutant(
        "an ordering key returns as soon as its first target is well",
        "src/leeward/_routing/circuits.py Circuits.keep_at",
        "target == preferred and (not self.watchful)",
        "not self.watchful",
        "tests/routing/test_order.py::test_a_key_that_has_moved_stays_until_it_has_rested",
    ),
    Mutant(
        "a wait for a place ends at a target that was isolated meanwhile",
        "src/leeward/_http/pool.py Pool.collect",
        "is_barred(timeout)",
        "False",
        "tests/http/test_pool.py::test_a_wait_for_a_place_of_an_isolated_target_sends_nothing",
    ),
    Mutant(
        "a wait for a credential ends at a target that was isolated meanwhile",
        "src/leeward/adapter/_plan_run.py PlanRun._about_to_send",
        "self._waited and is_barred(self._time)",
        "False",
        "tests/http/test_plan_run.py::"
        "test_a_wait_for_a_credential_of_an_isolated_target_sends_nothing",
    ),
    Mutant(
        "no open circuit admits while no healthy target has a place",
        "src/leeward/_routing/choice.py find_ill",
        "len(state.able) == 1 or not state.rules.elsewhere or state.rules.ordered",
        "True",
        "tests/routing/test_budgets.py::test_an_open_circuit_takes_calls_that_may_be_repeated_while_no_other_target_has_a_place",
    ),
)
