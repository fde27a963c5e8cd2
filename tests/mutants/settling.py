"""Faults of settling a key."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_ROOM: Final = "src/leeward/app/idempotency"
_CLIENT: Final = "src/leeward/_operations/settling.py"

_EVERY: Final = "tests/app/test_settle_exhaustive.py"
_LATE: Final = f"{_EVERY}::test_a_void_keeps_late_packets_out"
_FAILURES: Final = f"{_EVERY}::test_a_failure_is_settled_as_what_it_is"
_AGAIN: Final = f"{_EVERY}::test_a_run_that_goes_on_from_another_is_not_mistaken_for_the_first"
_PROBES: Final = f"{_EVERY}::test_a_probe_counts_when_no_run_can_act_any_more"
_AGE: Final = f"{_EVERY}::test_a_call_of_unknown_age_is_settled_by_a_probe_alone"
_TABLE: Final = f"{_EVERY}::test_no_failure_of_the_table_makes_a_verdict_wrong"
_UNRECORDED: Final = f"{_EVERY}::test_what_may_have_run_without_a_record_is_never_denied"

_SETTLED: Final = "tests/app/idempotent/test_settled.py"
_ELSEWHERE: Final = "tests/app/idempotent/test_settled_elsewhere.py"
_CALLS: Final = "tests/app/idempotent/test_settling.py"


def _record(fault: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(fault, f"{_ROOM}/record.py", old, new, test)


_APPROVED: Final = f"{_EVERY}::test_nothing_runs_that_a_person_has_not_approved"
_APPROVALS: Final = "tests/app/idempotent/test_approvals.py"
_OVERTAKEN: Final = (
    "tests/app/idempotent/test_overtaken.py::"
    "test_a_claim_whose_answer_was_lost_has_the_lease_of_its_first_write"
)


def _steps(fault: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(fault, f"{_ROOM}/steps.py", old, new, test)


def _settling(fault: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(fault, f"{_ROOM}/settling.py", old, new, test)


RECORD: Final = (
    _record(
        "a late packet runs after a void",
        "    is_late = claim.voids < record.voids\n",
        "    is_late = False\n",
        _LATE,
    ),
    _record(
        "a call that knows of the void is refused for it",
        "    is_late = claim.voids < record.voids\n",
        "    is_late = claim.voids <= record.voids\n",
        _LATE,
    ),
    _record(
        "a claim that was freed meanwhile runs without a new one",
        "record.owner == claim.owner and record.state is KeyState.IN_PROGRESS",
        "record.owner == claim.owner",
        f"{_SETTLED}::test_a_claim_that_was_settled_meanwhile_does_not_run",
    ),
    _record(
        "a void is as free as a released key",
        "return _refuse_late(record) if is_late else start_run(loaded, claim, now)",
        "return start_run(loaded, claim, now)",
        _LATE,
    ),
    _record(
        "a late packet runs a failed call again",
        "return _refuse_late(record) if is_late else start_run(loaded, claim, now, Earlier.FAILED)",
        "return start_run(loaded, claim, now, Earlier.FAILED)",
        _AGAIN,
    ),
    _record(
        "a late packet takes over from a dead run",
        "_refuse_late(record) if is_late and isinstance(decision, Start) else decision",
        "decision",
        _LATE,
    ),
    _record(
        "who is refused for a void is not told its number",
        "    return Refuse(Reason.VOIDED, voids=record.voids)\n",
        "    return Refuse(Reason.VOIDED)\n",
        _LATE,
    ),
    _record(
        "a void is not counted",
        "    voids = count_voids(record.voids, voids) + 1\n",
        "    voids = count_voids(record.voids, voids)\n",
        _LATE,
    ),
    _record(
        "a void counts from the record alone",
        "    voids = count_voids(record.voids, voids) + 1\n",
        "    voids = record.voids + 1\n",
        _LATE,
    ),
    _record(
        "a run keeps the record that was voided",
        '        KeyState.VOID, "", record.fence,',
        "        KeyState.VOID, record.owner, record.fence,",
        _LATE,
    ),
    _record(
        "who takes a key over forgets its voids",
        "        fence, voids = before.fence, count_voids(before.voids, claim.voids)\n",
        "        fence, voids = before.fence, 0\n",
        _LATE,
    ),
    _record(
        "who takes a key over does not say what it knows",
        "        fence, voids = before.fence, count_voids(before.voids, claim.voids)\n",
        "        fence, voids = before.fence, before.voids\n",
        f"{_SETTLED}::test_a_record_knows_of_as_many_voids_as_the_call_that_made_it",
    ),
    _record(
        "the first record does not say what its call knows",
        "    fence, voids, approval = 0, min(claim.voids, MOST_VOIDS), None\n",
        "    fence, voids, approval = 0, 0, None\n",
        f"{_SETTLED}::test_a_record_knows_of_as_many_voids_as_the_call_that_made_it",
    ),
    _record(
        "who takes a key over forgets what was done before",
        "        earlier_effects=acted,\n",
        "",
        _AGAIN,
    ),
    _record(
        "what was done before is known for one run only",
        "before.notes, before.effects or before.earlier_effects\n",
        "before.notes, before.effects\n",
        _AGAIN,
    ),
    _record(
        "a run that takes over has the fence of the one before",
        "        fence + 1,\n",
        "        fence or 1,\n",
        _AGAIN,
    ),
    _record(
        "a void expires with the keys of its function",
        "max(keep, LATEST_DELIVERY) if record.voids or record.approval else keep",
        "max(keep, LATEST_DELIVERY) if record.approval else keep",
        f"{_SETTLED}::test_a_void_outlives_every_delivery",
    ),
)

APPROVALS: Final = (
    _record(
        "a call runs that nobody has approved",
        "    if claim.question is not None and (approval is None or approval.by is None):\n",
        "    if False:\n",
        _APPROVED,
    ),
    _record(
        "a key that was freed does not ask for an approval",
        "claim.question is not None and (approval is None or approval.by is None)",
        "claim.question is not None and before is None",
        f"{_APPROVALS}::test_a_dead_run_that_needed_no_approval_waits_if_the_next_call_needs_one",
    ),
    _record(
        "an approval is for any payload",
        "        approval = before.approval if before.payload == claim.payload else None\n",
        "        approval = before.approval\n",
        f"{_APPROVALS}::test_an_approval_is_for_a_payload_that_can_be_compared",
    ),
    _record(
        "a run forgets that it was approved",
        "        approval=approval,\n",
        "",
        f"{_APPROVALS}::test_a_run_that_is_proved_to_have_done_nothing_is_not_asked_for_again",
    ),
    _record(
        "what may have run goes on without an approval",
        "        if acted:\n            return Refuse(Reason.UNKNOWN)\n",
        "",
        f"{_APPROVALS}::test_what_may_have_run_without_an_approval_does_not_go_on_without_one",
    ),
    _record(
        "another payload puts its question in the place of an approval",
        "(KeyState.RELEASED, KeyState.VOID) and not _is_approved(record)\n",
        "(KeyState.RELEASED, KeyState.VOID)\n",
        _APPROVED,
    ),
    _settling(
        "a settle of a key without a record leaves one of a run",
        "        return OpenCase(none, None, fenced=True)\n",
        "        return RecordChange(none, None)\n",
        f"{_APPROVALS}::test_a_settle_that_learns_nothing_opens_no_way_around_the_approval",
    ),
    _record(
        "a question that was settled is answered later",
        "_replace(approval=record.approval) if _is_approved(record) else void",
        "_replace(approval=record.approval)",
        f"{_APPROVALS}::test_a_caller_learns_that_its_call_waits_and_that_settling_it_drops_the"
        "_question",
    ),
    _record(
        "a void forgets that its call was approved",
        "    return void._replace(approval=record.approval) if _is_approved(record) else void\n",
        "    return void\n",
        f"{_APPROVALS}::test_an_approval_outlives_a_void",
    ),
    _record(
        "a late packet asks a person",
        "        return _refuse_late(record) if is_late else refuse_unapproved(record)\n",
        "        return refuse_unapproved(record)\n",
        "tests/app/test_idempotency_model.py::test_what_a_call_does_about_a_record",
    ),
    _record(
        "a question expires with the keys of its function",
        "max(keep, LATEST_DELIVERY) if record.voids or record.approval else keep",
        "max(keep, LATEST_DELIVERY) if record.voids else keep",
        f"{_APPROVALS}::test_a_question_and_its_answer_outlive_the_keys_of_the_function",
    ),
    _steps(
        "a call runs as soon as its question is written",
        "    if start.record.state is KeyState.WAITING:\n",
        "    if False:\n",
        _APPROVED,
    ),
    _settling(
        "a settler does not void what waits",
        "            # A new call asks again.\n",
        "            return _not_run(request, record._replace(voids=request.voids + 1))\n",
        _APPROVED,
    ),
    Mutant(
        "a call that needs an approval runs while the table is away",
        f"{_ROOM}/settings.py",
        '    if options.unreachable != "refuse":\n',
        "    if False:\n",
        f"{_APPROVALS}::test_a_mistake_is_named_before_anything_runs",
    ),
)

STEPS: Final = (
    _steps(
        "a run that fails undoes that it was settled",
        "        if own.record.state in (wanted.state, KeyState.COMPLETED):\n",
        "        if own.record.state is wanted.state:\n",
        _PROBES,
    ),
    _steps(
        "a run does not notice that its key is another's",
        "    if loaded.record.owner != held.record.owner:\n",
        "    if False:\n",
        _LATE,
    ),
    _steps(
        "an announcement whose answer was lost counts as made",
        "        if isinstance(reply, Away) and not reply.written:\n            return reply\n"
        "        loaded, _ = yield LoadRecord()\n",
        "        if isinstance(reply, Away):\n            return Held(record, held.revision)\n"
        "        loaded, _ = yield LoadRecord()\n",
        _TABLE,
    ),
    _steps(
        "an announcement that was refused counts as made",
        "        if isinstance(reply, Saved):\n            return Held(record, reply.revision)\n",
        "        if not isinstance(reply, Away):\n            return Held(record, held.revision)\n",
        _LATE,
    ),
    _steps(
        "a claim whose answer was lost counts as made",
        "            return settle_start(start, reply.revision)\n"
        "        if isinstance(reply, Unfit):\n",
        "            return settle_start(start, reply.revision)\n"
        "        if isinstance(reply, Away) and reply.written:\n"
        '            return settle_start(start, "1")\n'
        "        if isinstance(reply, Unfit):\n",
        _TABLE,
    ),
)

CLOCKS: Final = (
    Mutant(
        "the clock of the day ends the lease of another machine",
        f"{_ROOM}/store.py",
        "            over_at = min(sight(clock, owner, left) + left, by_clocks + CLOCKS)\n",
        "            over_at = min(sight(clock, owner, left) + left, by_clocks)\n",
        _PROBES,
    ),
    Mutant(
        "a process counts a lease anew at each look",
        f"{_ROOM}/store.py",
        "            over_at = min(sight(clock, owner, left) + left, by_clocks + CLOCKS)\n",
        "            over_at = min(now + left, by_clocks + CLOCKS)\n",
        _PROBES,
    ),
    Mutant(
        "a process does not count what it has written itself",
        f"{_ROOM}/store.py",
        "        first_sight(clock, record.owner, ",
        "        str(",
        "tests/app/idempotent/test_probes.py::test_a_probe_settles_what_a_run_has_noted",
    ),
    Mutant(
        "a record does not say how long its run may act",
        f"{_ROOM}/store.py",
        "ceil(max(0.0, record.over_at - now) * 1000)",
        "0",
        _PROBES,
    ),
    _record(
        "a run begins beside one that is over by the clock of the day",
        "claim.run_unknown and now < record.over_at and record.failure is None:\n",
        "False:\n",
        "tests/app/test_idempotency_model.py::test_what_a_call_does_about_a_record",
    ),
    _settling(
        "a settler who has fenced a run takes it for over",
        "fenced=True, left=decision.record.over_at - now\n",
        "fenced=True\n",
        _PROBES,
    ),
    _settling(
        "a stranger is told what the call of another one has done",
        "        case Done() if case.revision is None and request.apart:\n",
        "        case Done() if False:\n",
        _AGE,
    ),
    _steps(
        "a claim whose answer was lost begins its lease anew",
        "            own = decision.record._replace(lease_until=end, over_at=end)\n",
        "            own = decision.record\n",
        _OVERTAKEN,
    ),
    _steps(
        "an announcement whose answer was lost begins the lease anew",
        "    return Held(record, loaded.revision)\n",
        "    return Held(loaded.record, loaded.revision)\n",
        _OVERTAKEN,
    ),
    Mutant(
        "a person settles what may still act",
        "src/leeward/cli/key_records.py",
        "    if left > 0 and wait is not None:\n",
        "    if False:\n",
        "tests/cli/test_keys.py::test_a_run_that_is_over_its_lease_by_this_clock_is_waited_for",
    ),
)
"""No clock of another machine ends a lease; nor does a principal learn of another's calls."""

RULES: Final = (
    _settling(
        "a void of before is taken for one of now",
        "        return _void(record, revision, request)\n    ended = ",
        "        if record.voids > request.voids:\n"
        "            return _not_run(request, record)\n"
        "        return _void(record, revision, request)\n"
        "    ended = ",
        f"{_ELSEWHERE}::test_what_a_call_has_learnt_meanwhile_counts_for_its_error",
    ),
    _settling(
        "a released key is a proof",
        "        return _void(record, revision, request)\n    ended = ",
        "        return KeyFinding(Verdict.NOT_RUN, voids=max(record.voids, request.voids) + 1)\n"
        "    ended = ",
        _LATE,
    ),
    _settling(
        "the result of a run is lost in the answer",
        "Verdict.RAN, result=record.result, kept=",
        "Verdict.RAN, result=None, kept=",
        _LATE,
    ),
    _settling(
        "a declared failure is a proof that nothing was done",
        "            return KeyFinding(Verdict.RAN, kept=False, failure=record.failure, "
        "voids=record.voids)\n",
        "            return _void(record, revision, request)\n",
        _AGAIN,
    ),
    _settling(
        "a failure is told as a result",
        "            return KeyFinding(Verdict.RAN, kept=False, failure=record.failure, "
        "voids=record.voids)\n",
        "            return KeyFinding(Verdict.RAN, voids=record.voids)\n",
        _FAILURES,
    ),
    _settling(
        "a run under way is taken for dead",
        "        case KeyState.IN_PROGRESS if now < record.lease_until:\n",
        "        case KeyState.IN_PROGRESS if False:\n",
        f"{_SETTLED}::test_a_run_under_way_is_not_settled",
    ),
    _settling(
        "a dead run is a proof, whatever was done before it",
        "if not (record.effects or record.earlier_effects):",
        "if not record.effects:",
        _AGAIN,
    ),
    _settling(
        "a dead run is a proof, whatever it has begun",
        "if not (record.effects or record.earlier_effects):",
        "if not record.earlier_effects:",
        _LATE,
    ),
    _settling(
        "the payload does not count",
        "    if request.payload is not None and is_of_other(record, request.payload):\n",
        "    if False:\n",
        f"{_SETTLED}::test_a_key_of_another_payload_is_not_settled",
    ),
    _settling(
        "without a probe the probe is believed",
        "    if not request.probed:\n        return KeyFinding(Verdict.UNKNOWN, Doubt.UNKNOWN)\n",
        "",
        _LATE,
    ),
    _settling(
        "a run is taken for ended because its lease is over",
        "    has_ended_alone = record.state is KeyState.UNKNOWN and record.fence <= 1\n",
        "    has_ended_alone = record.fence <= 1\n",
        _PROBES,
    ),
    _settling(
        "the last run of a key is taken for the only one",
        "    has_ended_alone = record.state is KeyState.UNKNOWN and record.fence <= 1\n",
        "    has_ended_alone = record.state is KeyState.UNKNOWN\n",
        _AGAIN,
    ),
    _settling(
        "every run is taken for fenced",
        "return OpenCase(record, revision, request.marked or has_ended_alone, ",
        "return OpenCase(record, revision, True, ",
        _PROBES,
    ),
    _settling(
        "a run that announces its effects is never fenced",
        "return OpenCase(record, revision, request.marked or has_ended_alone, ",
        "return OpenCase(record, revision, has_ended_alone and not request.marked, ",
        _PROBES,
    ),
    _settling(
        "a call of unknown age is taken for a new one",
        "doubt is None and request.age is not None and request.age <= request.keep:\n",
        "doubt is None and (request.age is None or request.age <= request.keep):\n",
        f"{_SETTLED}::test_a_call_whose_record_may_have_expired_is_not_settled",
    ),
    _settling(
        "a call that is older than its record is taken for a new one",
        "doubt is None and request.age is not None and request.age <= request.keep:\n",
        "doubt is None and request.age is not None:\n",
        f"{_SETTLED}::test_a_call_whose_record_may_have_expired_is_not_settled",
    ),
    _settling(
        "a probe is not asked where there is no record",
        "    if request.probed:  # its word lasts: a void is written only if nothing is there\n",
        "    if False:\n",
        _AGE,
    ),
    _settling(
        "a void that was not written counts",
        "            reply, now = yield SaveRecord(decision.record, decision.revision)\n"
        "            if isinstance(reply, Saved):\n",
        "            reply, now = yield SaveRecord(decision.record, decision.revision)\n"
        "            if not isinstance(reply, Away):\n",
        _LATE,
    ),
    _settling(
        "a void whose answer was lost counts",
        "            reply, now = yield SaveRecord(decision.record, decision.revision)\n"
        "            if isinstance(reply, Saved):\n",
        "            reply, now = yield SaveRecord(decision.record, decision.revision)\n"
        "            if isinstance(reply, Saved) or (isinstance(reply, Away) and reply.written):\n",
        _TABLE,
    ),
    _settling(
        "a settler that looks again looks at nothing",
        "        decision = answer\n    return KeyFinding(Verdict.RUNNING",
        "    return KeyFinding(Verdict.RUNNING",
        _LATE,
    ),
    _settling(
        "a probe that finds nothing is believed of a run that may act",
        "        case NotDone() if not case.fenced:\n",
        "        case NotDone() if False:\n",
        _PROBES,
    ),
    _settling(
        "a probe that finds nothing is believed within the lease",
        "        case NotDone() if case.left > 0:\n",
        "        case NotDone() if False:\n",
        f"{_SETTLED}::test_a_probe_counts_after_the_lease",
    ),
    _settling(
        "a probe that finds nothing frees the key",
        "            void = void_record(record, request.voids)\n",
        "            void = record._replace(state=KeyState.RELEASED, voids=request.voids + 1)\n"
        "            void = void._replace(voids=0)\n",
        _PROBES,
    ),
    _settling(
        "a case that has changed meanwhile is closed",
        "            if isinstance(reply, Saved):\n"
        "                return _not_run(request, void)\n",
        "            if not isinstance(reply, Away):\n"
        "                return _not_run(request, void)\n",
        _PROBES,
    ),
    _settling(
        "the result of a probe is lost",
        "            return (yield from _save_result(case, complete_record(record, result)))\n",
        "            return (yield from _save_result(case, complete_record(record, None)))\n",
        _PROBES,
    ),
    _settling(
        "a probe that cannot tell has found nothing",
        "            return KeyFinding(Verdict.UNKNOWN, Doubt.CANNOT_TELL)\n",
        "            return KeyFinding(Verdict.NOT_RUN, voids=request.voids + 1)\n",
        _PROBES,
    ),
    _settling(
        "a repeat takes over from a run that may act",
        "request.doubt is None and case.fenced and case.left <= 0:\n",
        "request.doubt is None and case.left <= 0:\n",
        _PROBES,
    ),
    _settling(
        "a repeat takes over within the lease",
        "request.doubt is None and case.fenced and case.left <= 0:\n",
        "request.doubt is None and case.fenced:\n",
        f"{_SETTLED}::test_a_probe_counts_after_the_lease",
    ),
    _settling(
        "a late packet takes over by its probe",
        "        if claim.voids < record.voids:\n",
        "        if False:\n",
        _PROBES,
    ),
    _settling(
        "a repeat runs although another one was first",
        "        return _failed_write(reply) or Refuse(Reason.RUNNING, 1.0)\n",
        "        return _failed_write(reply) or start\n",
        _PROBES,
    ),
)

FUNCTION: Final = (
    Mutant(
        "a run that goes on from an effect frees the key",
        f"{_ROOM}/decorator.py",
        "            if not held.record.earlier_effects:\n",
        "            if True:\n",
        _AGAIN,
    ),
    Mutant(
        "a run that did nothing after one that did nothing is a failure",
        f"{_ROOM}/decorator.py",
        "            if not held.record.earlier_effects:\n",
        "            if run.earlier is None:\n",
        _AGAIN,
    ),
    Mutant(
        "an effect that was forbidden is a failure of the function",
        f"{_ROOM}/decorator.py",
        "run.started and error is not run.forbidden",
        "run.started",
        f"{_SETTLED}::test_an_effect_that_was_forbidden_is_no_failure_of_the_function",
    ),
    Mutant(
        "an unknown end frees the key",
        f"{_ROOM}/decorator.py",
        '        _log("error", "outcome_unknown", run, failure.type)\n'
        "        return write_end(held, record.leave_unknown(held.record, failure))\n",
        '        _log("error", "outcome_unknown", run, failure.type)\n'
        "        return write_end(held, record.release_record(held.record))\n",
        _FAILURES,
    ),
    Mutant(
        "a call does not say of how many voids it knows",
        f"{_ROOM}/decorator.py",
        "            self._own.voids if self._own else 0,",
        "            0,",
        f"{_CALLS}::test_what_was_settled_as_not_run_never_runs",
    ),
    Mutant(
        "settling replaces a failure that has come by the record's",
        "src/leeward/_routing/execution.py",
        "            found = last if has_answer else _outcome_of(settled)",
        "            found = _outcome_of(settled); has_answer = False",
        f"{_CALLS}::test_settling_replaces_no_answer_that_has_come",
    ),
    Mutant(
        "a run does not know that a probe decides",
        f"{_ROOM}/decorator.py",
        "            is_probed=settings.probe is not None,\n",
        "            is_probed=False,\n",
        _PROBES,
    ),
    Mutant(
        "an effect begins after its lease",
        f"{_ROOM}/running.py",
        "        if self._is_probed and self.location.clock.monotonic() >= self._last_begin:\n",
        "        if False:\n",
        _PROBES,
    ),
    Mutant(
        "an effect begins in the last seconds of its lease",
        f"{_ROOM}/running.py",
        "min(LAST_EFFECT, max(0.0, left) / 6)",
        "0",
        f"{_SETTLED}::test_an_effect_does_not_begin_after_its_lease_where_a_probe_decides",
    ),
    Mutant(
        "only the first effect is announced",
        f"{_ROOM}/running.py",
        "(self._is_probed and self._marks):",
        "False:",
        _PROBES,
    ),
    Mutant(
        "the table does not keep voids",
        f"{_ROOM}/store.py",
        "    if record.voids:\n",
        "    if False:\n",
        _LATE,
    ),
    Mutant(
        "the table does not keep what was done before",
        f"{_ROOM}/store.py",
        '        item["earlier_effects"] = record.earlier_effects\n',
        '        item["earlier_effects"] = False\n',
        _AGAIN,
    ),
    Mutant(
        "a record of an earlier leeward says that nothing was before it",
        f"{_ROOM}/store.py",
        'item.get("earlier_effects", int(item["fence"]) > 1) is not False',
        'item.get("earlier_effects", False) is not False',
        f"{_SETTLED}::test_a_record_of_an_earlier_leeward_does_not_say_what_was_before_it",
    ),
    Mutant(
        "the table does not keep notes",
        f"{_ROOM}/store.py",
        "    if record.notes:\n",
        "    if False:\n",
        f"{_CALLS}::test_a_function_that_has_failed_in_doubt_is_settled_by_its_probe",
    ),
    Mutant(
        "a function that runs without a record is asked as one that does not",
        f"{_ROOM}/settings.py",
        '(Doubt.UNRECORDED, "") if self.run_unrecorded else None',
        "None",
        _UNRECORDED,
    ),
    Mutant(
        "a recorded failure is told of a function that may have run without a record",
        f"{_ROOM}/settling.py",
        "        case KeyState.FAILED if request.doubt is not None:  # a",
        "        case KeyState.FAILED if False:  # a",
        f"{_SETTLED}::test_a_recorded_failure_does_not_deny_a_run_without_a_record",
    ),
    Mutant(
        "every function is taken for one that announces its effects",
        f"{_ROOM}/settings.py",
        "            marked=self.effects_marked,\n",
        "            marked=True,\n",
        _PROBES,
    ),
    Mutant(
        "the probe of a function is not asked",
        f"{_ROOM}/settings.py",
        "            probed=self.probe is not None,\n",
        "            probed=False,\n",
        _PROBES,
    ),
    Mutant(
        "an answer about another key is believed",
        f"{_ROOM}/settlement.py",
        "told.key in (None, key)",
        "True",
        f"{_SETTLED}::test_a_probe_that_fails_tells_nothing",
    ),
    Mutant(
        "a probe that fails has found nothing",
        f"{_ROOM}/settlement.py",
        "    return CannotTell()\n",
        "    return NotDone()\n",
        f"{_SETTLED}::test_a_probe_that_fails_tells_nothing",
    ),
    Mutant(
        "the payload of a question is not looked at",
        f"{_ROOM}/settlement.py",
        "None if given is None else payload_digest(arguments.values, over_wire)",
        "None",
        f"{_SETTLED}::test_a_key_of_another_payload_is_not_settled",
    ),
    Mutant(
        "a default is taken for the payload",
        f"{_ROOM}/settlement.py",
        "Arguments({}) if given is None else settings.signature.bind(given, {}, Context)",
        "settings.signature.bind(given or (), {}, Context)",
        f"{_SETTLED}::test_a_default_is_not_taken_for_the_payload",
    ),
    Mutant(
        "a question does not say of how many voids its call knows",
        f"{_ROOM}/settlement.py",
        "settings.request(payload, context.voids, age)",
        "settings.request(payload, 0, age)",
        _LATE,
    ),
    Mutant(
        "a question runs the function",
        "src/leeward/app/handlers.py",
        "        if delivery.settles:\n            returned = ",
        "        if False:\n            returned = ",
        f"{_CALLS}::test_what_was_settled_as_not_run_never_runs",
    ),
)

CALLER: Final = (
    Mutant(
        "any target is asked that may have no record",
        _CLIENT,
        "    only = () if call.shared_dedup else places\n",
        "    only = ()\n",
        f"{_ELSEWHERE}::test_a_key_that_may_be_at_any_target_is_settled_at_all",
    ),
    Mutant(
        "a key is settled wherever an answer comes from",
        _CLIENT,
        "    return scope_of(dedup) == BY_GROUP or about.places == (result.target,)\n",
        "    return True\n",
        f"{_ELSEWHERE}::test_a_key_is_settled_where_its_calls_are_made",
    ),
    Mutant(
        "a key that may be at several targets is settled at one",
        _CLIENT,
        'only or candidates(Invoke(function, b"null", key))',
        '(only or candidates(Invoke(function, b"null", key)))[:1]',
        f"{_ELSEWHERE}::test_a_key_that_may_be_at_any_target_is_settled_at_all",
    ),
    Mutant(
        "a key is settled by the targets of today, wherever its call was made",
        _CLIENT,
        "moment, to_ask, None if is_known else only or None",
        "moment, to_ask, None if is_known else to_ask",
        "tests/client/test_settling_targets.py"
        "::test_a_call_whose_targets_nobody_names_may_have_run_elsewhere",
    ),
    Mutant(
        "an event that a spool may have is settled by its attempts alone",
        _CLIENT,
        "    if error.outcome is not Outcome.AMBIGUOUS:\n",
        "    if error.outcome is not Outcome.AMBIGUOUS or not only:\n",
        "tests/spool/test_spool.py"
        "::test_an_event_that_the_spool_may_have_is_not_settled_as_not_run",
    ),
    Mutant(
        "a run under way is not waited for",
        _CLIENT,
        "        if settled is not None and settled.verdict is not Verdict.RUNNING:\n",
        "        if settled is not None:\n",
        f"{_CALLS}::test_a_run_under_way_is_waited_for",
    ),
)

_VERSIONS: Final = "tests/app/idempotent/test_versions.py"


def _register(fault: str, old: str, new: str, test: str, file: str = "register.py") -> Mutant:
    return Mutant(fault, f"{_ROOM}/{file}", old, new, f"{_VERSIONS}::{test}")


_PLACES_TEST: Final = "tests/app/test_settle_simulation.py::test_no_verdict_elsewhere_is_wrong"

PLACES: Final = (
    Mutant(
        "a missing record proves that no version has run the call",
        f"{_ROOM}/settlement.py",
        "doubt=doubt_of(register, entries, request.age, now))\n",
        "doubt=None)\n",
        "tests/app/test_settle_exhaustive.py::test_a_redeploy_at_any_step_denies_no_call",
    ),
    Mutant(
        "one target of an order that may have been another one denies a call",
        "src/leeward/_operations/settling.py",
        "    return scope_of(dedup) == BY_GROUP or about.places == (result.target,)\n",
        "    return scope_of(dedup) == BY_GROUP or about.places in (None, (result.target,))\n",
        _PLACES_TEST,
    ),
    Mutant(
        "a call inside knows of the voids of the one around it",
        f"{_ROOM}/decorator.py",
        "            self._own.voids if self._own else 0,",
        "            context.voids if context else 0,",
        _PLACES_TEST,
    ),
    Mutant(
        "what no target got has not run, though a spool may have it",
        "src/leeward/_operations/settling.py",
        "        return Settled(Verdict.UNKNOWN, reason=error.reason)\n",
        '        return Settled(Verdict.NOT_RUN, reason="refused")\n',
        _PLACES_TEST,
    ),
)

_DENIED: Final = "test_a_call_that_another_version_has_run_is_not_denied"

REGISTER: Final = (
    _register(
        "a version is not compared with the one before it",
        "        if differ:\n",
        '        if differ and until == "now":\n',
        _DENIED,
    ),
    _register(
        "how long an earlier version kept its records does not matter",
        "        if not _keeps(facts, age):\n            differ",
        "        if False:\n            differ",
        _DENIED,
    ),
    _register(
        "what was before the register's first entry is taken for nothing",
        '    return Doubt.TOO_NEW, f"',
        '    return None if age else Doubt.TOO_NEW, f"',
        _DENIED,
    ),
    _register(
        "no process of an earlier version runs beside a new one",
        "entry.since + ROLLOUT + CLOCKS <= now - age",
        "entry.since <= now - age",
        "test_a_version_that_still_runs_beside_the_new_one_is_waited_for",
    ),
    _register(
        "a version that is back finds itself in the register, and leaves it",
        "        if entries and entries[-1].facts == register.facts:\n",
        "        if any(each.facts == register.facts for each in entries):\n",
        "test_a_version_that_is_back_is_seen",
    ),
    _register(
        "a row grows for ever",
        ")[-MOST_ENTRIES:]",
        ")",
        "test_no_row_grows_for_ever",
    ),
    _register(
        "a version runs although the register could not be reached",
        "        if isinstance(entries, Away):\n            return entries\n        self._settings",
        "        self._settings",
        "test_a_version_that_cannot_be_in_the_register_does_not_run",
        "decorator.py",
    ),
    _register(
        "the register is read for each call",
        "        if not is_known and (",
        "        if (",
        "test_a_register_costs_one_read_in_a_cold_start",
        "decorator.py",
    ),
    _register(
        "each client of an app reads the register",
        """        self.entered = ref(getattr(client, "_operations", client))\n""",
        "        self.entered = ref(client)\n",
        "test_the_client_of_the_app_reads_the_register_once",
        "settings.py",
    ),
    _register(
        "a version that comes while a key is settled is overlooked",
        "found.verdict is Verdict.NOT_RUN:\n            away",
        "found.verdict is Verdict.RUNNING:\n            away",
        "test_a_version_that_comes_while_a_key_is_settled_is_seen",
        "settlement.py",
    ),
    _register(
        "the functions of two scripts share their records",
        """ or name.startswith("__main__."):\n""",
        """:\n""",
        "test_records_need_a_name_that_lasts",
        "settings.py",
    ),
    _register(
        "two functions of a loop share their records",
        "        if _PLACES.setdefault(name, self) is not self:\n            raise",
        "        if False:\n            raise",
        "test_two_functions_of_one_name_are_refused",
        "settings.py",
    ),
    _register(
        "a record is named by where its handler is defined",
        "self._given or self.owner or self._check_place()",
        "self._where",
        "test_what_says_the_same_of_a_record_is_one_version",
        "settings.py",
    ),
    _register(
        "two functions of a factory are one source of keys",
        "        parts += tuple(cell.cell_contents for cell in value.__closure__ or ())\n",
        "",
        "test_each_source_of_keys_is_one_of_its_own",
    ),
    _register(
        "each process has its own order of a set",
        "sorted(texts) if isinstance(value, frozenset) else texts",
        "texts",
        "test_each_process_says_the_same_of_a_source",
    ),
    _register(
        "two secrets of keys are one at every target",
        """            "secret": keyed_digest("", secret) if secret else "none",\n""",
        "",
        "test_one_digest_tells_versions_apart_at_every_target",
        "settings.py",
    ),
    Mutant(
        "whoever asks has made the call itself",
        "src/leeward/envelope.py",
        "(0.0 if is_own(question) else CLOCKS)",
        "0.0",
        "tests/test_envelope.py::test_an_age_that_is_none_is_not_told",
    ),
    Mutant(
        "a call of another client is taken for one of this process",
        "src/leeward/_routing/failover.py",
        "record.attempts is attempts for",
        "record.attempts == attempts or True for",
        f"{_VERSIONS}::test_a_client_of_another_version_does_not_deny_a_call_on_local",
    ),
)

MUTANTS: Final = (
    *REGISTER,
    *PLACES,
    *RECORD,
    *APPROVALS,
    *STEPS,
    *CLOCKS,
    *RULES,
    *FUNCTION,
    *CALLER,
)
