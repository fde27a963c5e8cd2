"""Faults of the rules by which a target counts as silent, or may be tried; and of their worlds."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

ROUTING: Final = "src/leeward/_routing"
TESTS: Final = "tests/routing"
SETTLING: Final = "tests/app/idempotent/test_settling.py"

MUTANTS: Final = (
    Mutant(
        "an attempt that ends wakes no call that waits for its place",
        f"{ROUTING}/failover.py",
        "        shared.wake_first(target)\n",
        "        pass\n",
        f"{TESTS}/test_places.py::test_a_free_place_wakes_the_first_call_that_waits",
    ),
    Mutant(
        "any of the calls that wait for a place is woken",
        f"{ROUTING}/background.py",
        "key=lambda pause: pause.number",
        "key=lambda pause: -pause.number",
        f"{TESTS}/test_places.py::test_a_free_place_wakes_the_first_call_that_waits",
    ),
    Mutant(
        "a place that comes too late for a call is lost",
        f"{ROUTING}/call.py",
        "    if paused.woken and not in_time:\n",
        "    if False:\n",
        f"{TESTS}/test_budgets.py::test_a_place_that_comes_too_late_for_a_call_is_the_next_ones",
    ),
    Mutant(
        "an open circuit takes no call though no other target has a place",
        f"{ROUTING}/choice.py",
        "    ill = find_ill(state, now)\n    if ill:\n",
        "    if ill := None:\n",
        f"{TESTS}/test_budgets.py::test_an_open_circuit_takes_calls_that_may_be_repeated"
        "_while_no_other_target_has_a_place",
    ),
    Mutant(
        "an open circuit takes calls that must not run twice",
        f"{ROUTING}/choice.py",
        "if len(state.able) == 1 or not state.rules.elsewhere or state.rules.ordered:",
        "if len(state.able) == 1:",
        f"{TESTS}/test_budgets.py::test_an_open_circuit_takes_calls_that_may_be_repeated"
        "_while_no_other_target_has_a_place",
    ),
    Mutant(
        "a function of which nothing is known is silent like any other",
        f"{ROUTING}/silence.py",
        "        if limits is None:\n            if waited > policy.stall_least:\n"
        "                circuits.fall_silent(circuit, doubted=True)",
        "        if limits is None:\n            if waited > policy.stall_least:\n"
        "                circuits.fall_silent(circuit, doubted=False)",
        f"{TESTS}/test_silence.py::test_a_function_of_which_nothing_is_known_may_be_slow",
    ),
    Mutant(
        "a target in doubt is compared with every call",
        f"{ROUTING}/choice.py",
        "        if other != target and there is not None and there.waiting:\n"
        "            return False\n",
        "",
        f"{TESTS}/test_silence.py::test_a_function_of_which_nothing_is_known_may_be_slow",
    ),
    Mutant(
        "a refusal that anybody may have given is held against the target",
        f"{ROUTING}/health.py",
        "if reason == UNMARKED_REFUSAL:",
        "if False:",
        f"{TESTS}/test_evidence.py::test_a_refusal_that_anybody_may_have_given_is_no_evidence",
    ),
    Mutant(
        "an attempt that waited for its place is heard where it was cut off",
        f"{ROUTING}/commands.py",
        "NEARLY * time_after(self.waited, self.command.timeout)",
        "NEARLY * self.command.timeout",
        f"{TESTS}/test_evidence.py::test_an_attempt_that_spent_its_time_in_line_proves_nothing",
    ),
    Mutant(
        "a standstill of the process is a silence of the target that was asked",
        f"{ROUTING}/health.py",
        "waited = now - attempt.began - in_line"
        " - self.heartbeat.standstill(attempt.request_at, now)",
        "waited, stood_still = now - attempt.began - in_line, False",
        "tests/simulation/test_standstills.py"
        "::test_no_target_is_blamed_for_a_standstill_of_the_process",
    ),
    Mutant(
        "a caller in a hurry blames the target",
        f"{ROUTING}/health.py",
        "        return self._stop_waiting(circuit, attempt) and not attempt.command.early",
        "        self._stop_waiting(circuit, attempt)\n        return not attempt.command.early",
        f"{TESTS}/test_silence.py::test_callers_in_a_hurry_blame_no_target",
    ),
    Mutant(
        "a probe is cut short by the baseline of its own target",
        f"{ROUTING}/attempts.py",
        "for name in health.targets.order]",
        "for name in (target,)]",
        f"{TESTS}/test_silence.py::test_a_probe_has_the_time_of_the_slowest_target",
    ),
    Mutant(
        "one function shows that a whole target is silent",
        f"{ROUTING}/silence.py",
        "if len(waits) < 2 or",
        "if",
        f"{TESTS}/test_silence.py::test_one_function_or_few_attempts_show_nothing_of_a_target",
    ),
    Mutant(
        "each function is silent for itself alone",
        f"{ROUTING}/health.py",
        "        if now - wide.good_at > wide.watch_after:",
        "        if now - wide.good_at > 1e9 > wide.good_at > 0:",
        f"{TESTS}/test_silence.py::test_a_target_that_answers_none_of_many_functions_is_silent",
    ),
    Mutant(
        "a call whose only target is gone tries it never",
        f"{ROUTING}/choice.py",
        "    trial = _trial(state, order, now)\n",
        '    trial = ""\n',
        f"{TESTS}/test_recovery.py::"
        "test_a_call_tries_its_only_target_now_and_then_while_that_is_gone",
    ),
    Mutant(
        "a call whose only target is gone tries it each time",
        f"{ROUTING}/choice.py",
        "                circuit.note_look(now)\n            return target",
        "                circuit.note_look(-1.0)\n            return target",
        f"{TESTS}/test_recovery.py::"
        "test_a_call_tries_its_only_target_now_and_then_while_that_is_gone",
    ),
    Mutant(
        "a copy of the future is chosen, and then refused",
        f"{ROUTING}/snapshot.py",
        "    return wall - at if at <= wall else inf",
        "    return wall - at",
        f"{TESTS}/test_sharing.py::test_a_copy_that_is_odd_hides_none_that_is_good",
    ),
    Mutant(
        "a call that nobody can tell of is taken for not run",
        f"{ROUTING}/readback.py",
        '"unknown": ReadBackVerdict.LOST',
        '"unknown": ReadBackVerdict.NOT_RUN',
        f"{SETTLING}::test_what_a_probe_cannot_tell_stays_unknown",
    ),
    Mutant(
        "a call that was settled as not run stays unknown",
        f"{ROUTING}/call.py",
        "        state = state._replace(unknown=False, proved=True, final=None)\n"
        "        if answer.after",
        "        if answer.after",
        f"{SETTLING}::test_a_call_that_cannot_be_made_again_has_not_run",
    ),
    Mutant(
        "a call does not learn the void of its key",
        f"{ROUTING}/execution.py",
        "self._call._replace(voids=voids)",
        "self._call",
        f"{SETTLING}::test_what_was_settled_as_not_run_never_runs",
    ),
    Mutant(
        "a call whose key is void is not made again",
        f"{ROUTING}/call.py",
        "    (Outcome.REJECTED, VOIDED): _call_again,\n",
        "",
        f"{SETTLING}::test_a_call_whose_key_is_void_is_made_again_as_often_as_it_takes",
    ),
    Mutant(
        "a call is settled although its caller says no",
        f"{ROUTING}/outcomes.py",
        "SETTLING[rules] if isinstance(call, Invoke) and call.settles else rules",
        "SETTLING[rules]",
        f"{SETTLING}::test_it_is_not_settled_where_the_caller_says_so",
    ),
    Mutant(
        "a failure after an effect is not settled",
        f"{ROUTING}/execution.py",
        'return "yes" if result.fault is None or result.fault.ran is None else result.fault.ran',
        'return "yes"',
        f"{SETTLING}::test_a_function_that_has_failed_in_doubt_is_settled_by_its_probe",
    ),
    Mutant(
        "a call that still runs is given up",
        f"{ROUTING}/call.py",
        "    if longest <= 0:\n        return _give_up",
        "    if longest > 0:\n        return _give_up",
        f"{SETTLING}::test_a_call_that_takes_too_long_is_settled_within_its_deadline",
    ),
    Mutant(
        "a refusal ends a call whose hedge is in flight",
        f"{ROUTING}/call.py",
        "        in_flight=in_flight,",
        "        in_flight=() if final else in_flight,",
        f"{TESTS}/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight",
    ),
    Mutant(
        "a refusal hides that the other attempt has run",
        f"{ROUTING}/commands.py",
        '(self.ran != "no" or later.ran == "no")',
        "True",
        f"{TESTS}/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight",
    ),
    Mutant(
        "an event that one target refused, and the other one may have taken, is refused",
        f"{ROUTING}/execution.py",
        "return now if now.outcome is Outcome.AMBIGUOUS or _is_open(before) else before",
        "return now if _is_open(before) else before",
        f"{TESTS}/test_in_flight.py::test_no_event_is_told_as_refused_while_it_is_in_flight",
    ),
    Mutant(
        "a batch of which an event was refused ends beside its hedge",
        f"{ROUTING}/call.py",
        " if not event.refused or len(state.in_flight) == 1:",
        ":",
        f"{TESTS}/test_in_flight.py::test_no_event_is_told_as_refused_while_it_is_in_flight",
    ),
    Mutant(
        "a target settles what another one may have run",
        f"{ROUTING}/execution.py",
        "        if not elsewhere or not isinstance(call, Invoke):\n",
        "        if True:\n            return False\n",
        f"{TESTS}/test_settled_calls.py::test_a_target_that_knows_its_own_keys_settles_for_itself",
    ),
    Mutant(
        "a function that is at one target alone is cut off as if another one could run it",
        f"{ROUTING}/attempts.py",
        "if isinstance(state.call, Invoke) and not reaches_another:",
        "if False:",
        f"{TESTS}/test_alone.py::test_a_function_may_take_nearly_all_the_time",
    ),
    Mutant(
        "a call that still runs is given up half a second before the end",
        f"{ROUTING}/call.py",
        "    if longest <= 0:\n        return end(state, why, now)",
        "    if longest < policy.wait_least:\n        return end(state, why, now)",
        f"{TESTS}/test_alone.py::test_a_call_whose_answer_is_lost_is_asked_just_before_the_end",
    ),
    Mutant(
        "an event of an ordering key is hedged",
        f"{ROUTING}/call.py",
        "rules.elsewhere and not rules.ordered and not probe",
        "rules.elsewhere and not probe",
        f"{TESTS}/test_order.py::test_a_slow_event_is_not_overtaken_by_those_behind_it",
    ),
    Mutant(
        "an ordering key returns as soon as its first target is well",
        f"{ROUTING}/circuits.py",
        "if target == preferred and not self.watchful:",
        "if not self.watchful:",
        f"{TESTS}/test_order.py::test_a_key_that_has_moved_stays_until_it_has_rested",
    ),
    Mutant(
        "weights take their share of ordering keys",
        f"{ROUTING}/choice.py",
        "if group and not state.rules.ordered else ():",
        "if group else ():",
        f"{TESTS}/test_order.py::test_a_key_leaves_a_target_that_fails_and_no_other",
    ),
    Mutant(
        "a ramp takes its share of each ordering key",
        f"{ROUTING}/choice.py",
        "    if state.rules.ordered and isinstance(state.call, Publish):\n"
        "        return point_of(state.call)\n",
        "",
        f"{TESTS}/test_order.py::test_a_key_goes_through_a_ramp_once",
    ),
    Mutant(
        "a key whose target is full moves",
        f"{ROUTING}/call.py",
        "    free = free and not state.rules.ordered and (",
        "    free = free and (",
        f"{TESTS}/test_order.py::test_a_key_does_not_move_because_its_target_is_full",
    ),
    Mutant(
        "a call whose key is void is made again at an isolated target",
        f"{ROUTING}/call.py",
        "    if state.health.records[target].isolated:\n        return move",
        "    if False:\n        return move",
        f"{TESTS}/test_isolated.py::test_nothing_is_sent_after_a_target_was_isolated",
    ),
    Mutant(
        "an isolated target is asked what became of a call",
        f"{ROUTING}/attempts.py",
        "for target in able if not state.health.records[target].isolated)",
        "for target in able)",
        f"{TESTS}/test_isolated.py::test_nothing_is_sent_after_a_target_was_isolated",
    ),
    Mutant(
        "a wait for a place ends at a target that was isolated meanwhile",
        "src/leeward/_http/pool.py",
        "        if is_barred(timeout):\n",
        "        if False:\n",
        "tests/http/test_pool.py::test_a_wait_for_a_place_of_an_isolated_target_sends_nothing",
    ),
    Mutant(
        "a wait for a credential ends at a target that was isolated meanwhile",
        "src/leeward/adapter/_plan_run.py",
        "if self._waited and is_barred(self._time):",
        "if False:",
        "tests/http/test_plan_run.py::"
        "test_a_wait_for_a_credential_of_an_isolated_target_sends_nothing",
    ),
)
