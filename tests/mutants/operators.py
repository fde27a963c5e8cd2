"""Faults of what operators look and practise with: doctor and drill."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

DOCTOR: Final = "src/leeward/cli/doctor"
DRILL: Final = "drill/src/leeward_drill"
CLOUDS: Final = "tests/clouds/test_doctor.py::test_each_planted_fault_is_found_with_its_remedy"
QUIET: Final = (
    "tests/clouds/test_doctor.py::test_where_all_is_well_nothing_is_wrong_and_nothing_happens"
)
KEY_RECORDS: Final = "src/leeward/cli/key_records.py"
KEYS_TESTS: Final = "tests/cli/test_keys.py"
UNKNOWNS: Final = "src/leeward/_operations/unknowns.py"
UNKNOWN_COMMAND: Final = "src/leeward/cli/unknown_calls.py"
LEFT: Final = "tests/client/test_unknowns.py"
JUDGED: Final = "tests/cli/test_drill.py::test_what_happened_is_judged"

STATUS: Final = "tests/cli/test_status.py"
LOGS: Final = "tests/cli/test_logs.py"
MUTANTS: Final = (
    Mutant(
        "the doctor calls a function to see whether it is there",
        "adapters/aws/src/leeward_aws/functions/plans.py",
        '("X-Amz-Invocation-Type", "DryRun")',
        '("X-Amz-Invocation-Type", "Event")',
        QUIET,
    ),
    Mutant(
        "a clock that is off goes unnoticed",
        f"{DOCTOR}/visit.py",
        "    return time - ended if time > ended + 1 else 0.0",
        "    return 0.0",
        "tests/cli/test_doctor.py::test_a_clock_is_off_by_what_lies_outside_the_look",
    ),
    Mutant(
        "a fallback counts although its endpoint is silent",
        f"{DOCTOR}/findings.py",
        "            _names(silent),\n",
        "",
        CLOUDS,
    ),
    Mutant(
        "a call that was lost is excused",
        f"{DRILL}/verdict.py",
        "lost = [each for each in failed if _had_a_refuge(plan, each)]",
        "lost = [each for each in failed if False]",
        JUDGED,
    ),
    Mutant(
        "an unsafe call that ran twice is harmless",
        f"{DRILL}/verdict.py",
        "return (0, twice) if harmless else (twice, 0)",
        "return (0, twice)",
        JUDGED,
    ),
    Mutant(
        "a blackout lets the call run",
        f"{DRILL}/traffic.py",
        "fault is None or kind in (FaultKind.SLOW, FaultKind.LOSE_ANSWER)",
        "fault is None or kind in (FaultKind.SLOW, FaultKind.LOSE_ANSWER, FaultKind.BLACKOUT)",
        "tests/cli/test_drill.py::test_a_fault_lets_an_attempt_run_or_not",
    ),
    Mutant(
        "a drill tells other processes of an outage that it has made up",
        "drill/src/leeward_drill/command.py",
        "options.resolve()._replace(snapshot=None)",
        "options.resolve()",
        "tests/cli/test_drill.py::test_a_drill_writes_nothing_for_other_processes",
    ),
    Mutant(
        "the doctor does not compare what it has read",
        "src/leeward/adapter/looking.py",
        "        elif wanted != found:",
        "        elif wanted is found is None:",
        "tests/packages/test_exports_applied.py::test_what_was_changed_since_is_told",
    ),
    Mutant(
        "the doctor promises a failover of one target",
        "src/leeward/cli/commands/doctor.py",
        '    several = len(data["targets"]) > 1',
        '    several = len(data["targets"]) > 0',
        "tests/cli/test_doctor.py::test_one_target_cannot_fail_over",
    ),
    Mutant(
        "what a person has approved in a terminal can be approved again",
        KEY_RECORDS,
        "    if record.state is not KeyState.WAITING or record.approval is None:\n",
        "    if record.approval is None:\n",
        f"{KEYS_TESTS}::test_a_call_that_waits_is_approved_or_refused_once",
    ),
    Mutant(
        "a person approves what waits by now, and has read something else",
        KEY_RECORDS,
        "if seen != version_of(kept):",
        "if False:",
        f"{KEYS_TESTS}::test_who_decides_decides_what_was_read",
    ),
    Mutant(
        "a void that an operator has made is forgotten with its record",
        KEY_RECORDS,
        "return max(left, seconds_to_keep(record, 0.0, now)) if is_kept else left",
        "return left",
        f"{KEYS_TESTS}::test_after_a_release_a_late_delivery_runs_and_after_a_void_never",
    ),
    Mutant(
        "an operator voids what has run",
        KEY_RECORDS,
        "if record.state is KeyState.RELEASED or is_open(record, now):",
        "if record.state is not KeyState.IN_PROGRESS or is_open(record, now):",
        f"{KEYS_TESTS}::test_a_run_within_its_lease_and_what_is_settled_stay_as_they_are",
    ),
    Mutant(
        "an operator frees a key whose run still acts",
        KEY_RECORDS,
        "lapsed = record.state is KeyState.IN_PROGRESS and now >= record.lease_until",
        "lapsed = record.state is KeyState.IN_PROGRESS",
        f"{KEYS_TESTS}::test_a_run_within_its_lease_and_what_is_settled_stay_as_they_are",
    ),
    Mutant(
        "a void by hand forgets the voids before it",
        KEY_RECORDS,
        "return void_record(record, record.voids)",
        "return void_record(record._replace(voids=0), 0)",
        f"{KEYS_TESTS}::test_a_second_void_counts_on",
    ),
    Mutant(
        "what a run has returned is shown to whoever looks at its record",
        "src/leeward/cli/commands/keys.py",
        "if result and kept.record.kept:",
        "if kept.record.kept:",
        f"{KEYS_TESTS}::test_a_record_is_shown_with_all_its_facts_and_its_result_only_on_demand",
    ),
    Mutant(
        "a payload is left in the table of unknown calls although nobody wants it there",
        UNKNOWNS,
        "body = call.payload if with_payload and len(call.payload) <= LARGEST_BODY else None",
        "body = call.payload if len(call.payload) <= LARGEST_BODY else None",
        f"{LEFT}::test_each_verb_is_left_with_what_settling_needs_and_without_what_was_sent",
    ),
    Mutant(
        "an unknown write to the table of unknown calls is left there, without end",
        UNKNOWNS,
        "return call.table != table",
        "return True",
        f"{LEFT}::test_reads_and_the_table_itself_are_not_left",
    ),
    Mutant(
        "a call that only reads is left as unknown",
        UNKNOWNS,
        "return call.effect is not Effect.READ_ONLY",
        "return True",
        f"{LEFT}::test_only_what_may_have_run_is_left",
    ),
    Mutant(
        "the queue of unknown calls has no end",
        UNKNOWNS,
        "is_full = self._is_closed or len(self._waiting) >= MOST_WAITING",
        "is_full = self._is_closed",
        f"{LEFT}::test_no_call_waits_for_the_table_and_the_queue_has_an_end",
    ),
    Mutant(
        "a call waits until it stands in the table of unknown calls",
        UNKNOWNS,
        "                self._queue(unknown)\n",
        "                self._write(unknown)\n",
        f"{LEFT}::test_nothing_blocks_the_event_loop",
    ),
    Mutant(
        "a child process leaves the calls of its parent once more",
        UNKNOWNS,
        "        del held\n        self._begin()\n",
        "        del held\n",
        f"{LEFT}::test_a_child_leaves_what_waits_to_its_parent",
    ),
    Mutant(
        "closing a client loses the unknown calls that wait",
        UNKNOWNS,
        "thread.join(CLOSE_SECONDS)",
        "thread.join(0)",
        f"{LEFT}::test_closing_waits_for_what_is_to_be_written",
    ),
    Mutant(
        "an unknown call is settled as if it were older or younger than it is",
        UNKNOWNS,
        "yield common._replace(key=key, sent=call.sent, voids=voids, facts=facts, body=body)",
        "yield common._replace(key=key, voids=voids, facts=facts, body=body)",
        f"{LEFT}::test_what_the_call_knew_of_its_key_is_left",
    ),
    Mutant(
        "an unknown call forgets how many voids of its key it knew",
        UNKNOWN_COMMAND,
        "return Invoke(*common, sent=unknown.sent, voids=unknown.voids)",
        "return Invoke(*common, sent=unknown.sent)",
        f"{LEFT}::test_what_the_call_knew_of_its_key_is_left",
    ),
    Mutant(
        "a call of which nobody can tell goes from the table",
        UNKNOWN_COMMAND,
        "if settled.verdict in (Verdict.RUNNING, Verdict.UNKNOWN):",
        "if settled.verdict is Verdict.RUNNING:",
        "tests/cli/test_unknown.py::test_what_nobody_can_tell_stays",
    ),
    Mutant(
        "what a call has returned is shown to whoever settles all",
        UNKNOWN_COMMAND,
        '    del told["result"]  # may be secret; `leeward settle` shows it\n',
        "",
        "tests/cli/test_unknown.py::test_unknown_calls_are_listed_and_settled_from_the_record",
    ),
    Mutant(
        "a script takes a call that did not run for one that did",
        "src/leeward/cli/output/exit_codes.py",
        "    Verdict.NOT_RUN: LATER,\n",
        "    Verdict.NOT_RUN: OK,\n",
        "tests/cli/test_settle.py::test_a_script_goes_by_the_exit_code",
    ),
    Mutant(
        "a function that may run the question is to be asked",
        "src/leeward/_operations/errors.py",
        'if fault.ran == "maybe" and scope_of(result.dedup) in (BY_TARGET, BY_GROUP):',
        'if fault.ran == "maybe":',
        "tests/client/test_remedies.py::test_a_function_without_records_is_not_to_be_asked",
    ),
    Mutant(
        "a call that was voided is told that its target refuses it",
        "src/leeward/_operations/errors.py",
        "    if result.reason == VOIDED:\n",
        "    if False:\n",
        "tests/client/test_remedies.py::test_an_unknown_outcome_names_what_settles_it",
    ),
    Mutant(
        "what is wrong comes last",
        "src/leeward/status/facts.py",
        "    return sorted(facts, key=lambda fact: levels.index(fact.level))",
        "    return sorted(facts, key=lambda fact: -levels.index(fact.level))",
        f"{STATUS}::test_what_is_wrong_comes_first_and_is_the_exit_code",
    ),
    Mutant(
        "a silent target is waited for",
        "src/leeward/status/__init__.py",
        "        self._thread.join(max(0.0, until - monotonic()))",
        "        self._thread.join()",
        f"{STATUS}::test_a_silent_target_holds_up_nothing",
    ),
    Mutant(
        "dead letters are no alarm",
        "src/leeward/status/facts.py",
        "    if depth.dead:",
        "    if False:",
        f"{STATUS}::test_levels_follow_what_a_person_has_to_do",
    ),
    Mutant(
        "a schedule that nobody runs is well",
        "src/leeward/status/facts.py",
        "        if expected > begun:",
        "        if expected < begun:",
        f"{STATUS}::test_schedules_are_late_when_nobody_has_begun_them",
    ),
    Mutant(
        "a look at a new project makes a file",
        "src/leeward/local/driver.py",
        "            has_rows=lambda: self._file is None or self._is_there(),",
        "            has_rows=lambda: True,",
        f"{STATUS}::test_a_new_project_is_well_and_stays_as_it_is",
    ),
    Mutant(
        "a line is followed twice",
        "src/leeward/cli/commands/logs.py",
        "                if line.id in self._seen:",
        "                if line.id in ():",
        f"{LOGS}::test_following_shows_each_line_once",
    ),
    Mutant(
        "the places of a failure are not shown",
        "src/leeward/cli/commands/logs.py",
        '    for place in line["frames"]:',
        "    for place in ():",
        f"{LOGS}::test_lines_are_shown_with_the_places_in_the_code",
    ),
    Mutant(
        "a name of a function becomes part of the query",
        "adapters/azure/src/leeward_azure/functions/logs.py",
        "    name, errors = json.dumps(call.function)",
        "    name, errors = f'\"{call.function}\"'",
        "tests/azure/test_logs.py::test_traces_and_exceptions_of_one_function_are_asked_for",
    ),
)
