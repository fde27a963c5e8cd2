"""Faults of settling a key."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a version is not compared with the one before it",
        "src/leeward/app/idempotency/register.py doubt_of",
        "if differ:\n    ...",
        "if differ and until == 'now':\n    ...",
        "tests/app/idempotent/test_versions.py::"
        "test_a_call_that_another_version_has_run_is_not_denied",
    ),
    Mutant(
        "what was before the register's first entry is taken for nothing",
        "src/leeward/app/idempotency/register.py doubt_of",
        "Doubt.TOO_NEW",
        "None if age else Doubt.TOO_NEW",
        "tests/app/idempotent/test_versions.py::"
        "test_a_call_that_another_version_has_run_is_not_denied",
    ),
    Mutant(
        "a version that comes while a key is settled is overlooked",
        "src/leeward/app/idempotency/settlement.py KeySettlement._confirm",
        "Verdict.NOT_RUN",
        "Verdict.RUNNING",
        "tests/app/idempotent/test_versions.py::"
        "test_a_version_that_comes_while_a_key_is_settled_is_seen",
    ),
    Mutant(
        "a missing record proves that no version has run the call",
        "src/leeward/app/idempotency/settlement.py KeySettlement._look_into_register",
        "doubt_of(register, entries, request.age, now)",
        "None",
        "tests/app/test_settle_exhaustive.py::test_a_redeploy_at_any_step_denies_no_call",
    ),
    Mutant(
        "one target of an order that may have been another one denies a call",
        "src/leeward/_operations/settling.py _knows",
        "... == (result.target,)",
        "... in (None, (result.target,))",
        "tests/app/test_settle_simulation.py::test_no_verdict_elsewhere_is_wrong",
    ),
    Mutant(
        "what no target got has not run, though a spool may have it",
        "src/leeward/_operations/settling.py _settle_other",
        "Settled(Verdict.UNKNOWN, reason=error.reason)",
        "Settled(Verdict.NOT_RUN, reason='refused')",
        "tests/app/test_settle_simulation.py::test_no_verdict_elsewhere_is_wrong",
    ),
    Mutant(
        "a late packet runs after a void",
        "src/leeward/app/idempotency/record.py decide",
        "claim.voids < record.voids",
        "False",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "a late packet runs a failed call again",
        "src/leeward/app/idempotency/record.py decide",
        "_refuse_late(record) if is_late else start_run(loaded, claim, now, Earlier.FAILED)",
        "start_run(loaded, claim, now, Earlier.FAILED)",
        "tests/app/test_settle_exhaustive.py::"
        "test_a_run_that_goes_on_from_another_is_not_mistaken_for_the_first",
    ),
    Mutant(
        "a late packet takes over from a dead run",
        "src/leeward/app/idempotency/record.py decide",
        "_refuse_late(record) if is_late and isinstance(decision, Start) else decision",
        "decision",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "a void is not counted",
        "src/leeward/app/idempotency/record.py void_record",
        "count_voids(record.voids, voids) + 1",
        "count_voids(record.voids, voids)",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "who takes a key over forgets its voids",
        "src/leeward/app/idempotency/record.py start_run",
        "count_voids(before.voids, claim.voids)",
        "0",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "a call runs that nobody has approved",
        "src/leeward/app/idempotency/record.py start_run",
        "claim.question is not None and (approval is None or approval.by is None)",
        "False",
        "tests/app/test_settle_exhaustive.py::test_nothing_runs_that_a_person_has_not_approved",
    ),
    Mutant(
        "an approval is for any payload",
        "src/leeward/app/idempotency/record.py start_run",
        "before.approval if before.payload == claim.payload else None",
        "before.approval",
        "tests/app/idempotent/test_approvals.py::"
        "test_an_approval_is_for_a_payload_that_can_be_compared",
    ),
    Mutant(
        "an announcement whose answer was lost counts as made",
        "src/leeward/app/idempotency/steps.py _change",
        "if isinstance(reply, Away) and (not reply.written):\n    return reply",
        "if isinstance(reply, Away):\n    return Held(record, held.revision)",
        "tests/app/test_settle_exhaustive.py::test_no_failure_of_the_table_makes_a_verdict_wrong",
    ),
    Mutant(
        "the clock of the day ends the lease of another machine",
        "src/leeward/app/idempotency/store.py record_in",
        "by_clocks + CLOCKS",
        "by_clocks",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "a settler who has fenced a run takes it for over",
        "src/leeward/app/idempotency/settling.py settle_key",
        "OpenCase(..., ..., fenced=True, left=decision.record.over_at - now)",
        "OpenCase(..., ..., fenced=True)",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "a void of before is taken for one of now",
        "src/leeward/app/idempotency/settling.py examine",
        "if ...:\n    ...\nended = ...",
        "if ...:\n"
        "    if record.voids > request.voids:\n"
        "        return _not_run(request, record)\n"
        "    ...\n"
        "ended = ...",
        "tests/app/idempotent/test_settled_elsewhere.py::"
        "test_what_a_call_has_learnt_meanwhile_counts_for_its_error",
    ),
    Mutant(
        "a released key is a proof",
        "src/leeward/app/idempotency/settling.py examine",
        "if ...:\n    return _void(record, revision, request)",
        "if ...:\n"
        "    return KeyFinding(Verdict.NOT_RUN, voids=max(record.voids, request.voids) + "
        "1)",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "a run under way is taken for dead",
        "src/leeward/app/idempotency/settling.py examine",
        "now < record.lease_until",
        "False",
        "tests/app/idempotent/test_settled.py::test_a_run_under_way_is_not_settled",
    ),
    Mutant(
        "a dead run is a proof, whatever it has begun",
        "src/leeward/app/idempotency/settling.py examine",
        "record.effects or record.earlier_effects",
        "record.earlier_effects",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "every run is taken for fenced",
        "src/leeward/app/idempotency/settling.py _examine_effects",
        "request.marked or has_ended_alone",
        "True",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "a call that is older than its record is taken for a new one",
        "src/leeward/app/idempotency/settling.py _examine_nothing",
        "doubt is None and request.age is not None and (request.age <= request.keep)",
        "doubt is None and request.age is not None",
        "tests/app/idempotent/test_settled.py::"
        "test_a_call_whose_record_may_have_expired_is_not_settled",
    ),
    Mutant(
        "a probe that finds nothing frees the key",
        "src/leeward/app/idempotency/settling.py close_case",
        "void = void_record(record, request.voids)",
        "void = record._replace(state=KeyState.RELEASED, voids=request.voids + 1)\n"
        "void = void._replace(voids=0)",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "a case that has changed meanwhile is closed",
        "src/leeward/app/idempotency/settling.py close_case",
        "isinstance(reply, Saved)",
        "not isinstance(reply, Away)",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "a repeat takes over from a run that may act",
        "src/leeward/app/idempotency/settling.py take_case",
        "isinstance(answer, NotDone) and request.doubt is None and case.fenced and "
        "(case.left <= 0)",
        "isinstance(answer, NotDone) and request.doubt is None and (case.left <= 0)",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "an unknown end frees the key",
        "src/leeward/app/idempotency/decorator.py IdempotentCall.after_failure",
        "if ...:\n    ...\n...\nreturn write_end(held, record.leave_unknown(held.record, failure))",
        "if ...:\n    ...\n...\nreturn write_end(held, record.release_record(held.record))",
        "tests/app/test_settle_exhaustive.py::test_a_failure_is_settled_as_what_it_is",
    ),
    Mutant(
        "an effect begins after its lease",
        "src/leeward/app/idempotency/running.py IdempotentRun.check_lease",
        "self._is_probed and self.location.clock.monotonic() >= self._last_begin",
        "False",
        "tests/app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more",
    ),
    Mutant(
        "the table does not keep voids",
        "src/leeward/app/idempotency/store.py item_of",
        "if record.voids:\n    ...",
        "if False:\n    ...",
        "tests/app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out",
    ),
    Mutant(
        "a probe that fails has found nothing",
        "src/leeward/app/idempotency/settlement.py _read",
        "CannotTell()",
        "NotDone()",
        "tests/app/idempotent/test_settled.py::test_a_probe_that_fails_tells_nothing",
    ),
    Mutant(
        "any target is asked that may have no record",
        "src/leeward/_operations/settling.py settling_of",
        "() if call.shared_dedup else places",
        "()",
        "tests/app/idempotent/test_settled_elsewhere.py::"
        "test_a_key_that_may_be_at_any_target_is_settled_at_all",
    ),
    Mutant(
        "a key is settled by the targets of today, wherever its call was made",
        "src/leeward/_operations/settling.py settling_by_key",
        "only or None",
        "to_ask",
        "tests/client/test_settling_targets.py::"
        "test_a_call_whose_targets_nobody_names_may_have_run_elsewhere",
    ),
)
