"""Faults of workflows: what a flow means, and what the embedded engine keeps."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

ROOM: Final = "src/leeward/workflow"
TESTS: Final = "tests/workflow"

MUTANTS: Final = (
    Mutant(
        "a step that may have run is not taken back",
        f"{ROOM}/kernel.py",
        "        if answer.ambiguous or (",
        "        if (",
        f"{TESTS}/test_kernel.py::test_the_order_ends_as_it_must",
    ),
    Mutant(
        "a compensation that failed is silent",
        f"{ROOM}/kernel.py",
        "        if not lost:\n            raise\n",
        "        raise\n",
        f"{TESTS}/test_kernel.py::test_a_failed_compensation_is_told_with_the_steps",
    ),
    Mutant(
        "a handler swallows a cancel",
        f"{ROOM}/kernel.py",
        "    if failure.final:\n        raise _Failed(failure)",
        "    if False:\n        raise _Failed(failure)",
        f"{TESTS}/test_kernel.py::test_cancelling_compensates_and_tells",
    ),
    Mutant(
        "what a branch has done is forgotten",
        f"{ROOM}/kernel.py",
        "            scope.done += each.done\n",
        "            pass\n",
        f"{TESTS}/test_kernel.py::"
        "test_an_error_in_a_branch_waits_for_the_others_and_takes_all_back",
    ),
    Mutant(
        "an unsafe step may be tried again on its own error",
        f"{ROOM}/checks.py",
        "step.effect is not Effect.UNSAFE or",
        "True or",
        f"{TESTS}/test_definition.py::test_what_an_engine_cannot_do_is_refused_where_it_is_written",
    ),
    Mutant(
        "a function can claim that it did not run",
        f"{ROOM}/steps.py",
        "    return Failure(name if name.isidentifier() else FAILED)",
        '    return Failure(f"Call.{name}" if name.isidentifier() else FAILED)',
        f"{TESTS}/test_engine.py::test_what_the_clients_exceptions_mean",
    ),
    Mutant(
        "a lease that is lost may write",
        f"{ROOM}/journal.py",
        "            if held is None:\n                return False\n",
        "            if held is None:\n                held = (None, None)\n",
        f"{TESTS}/test_engine.py::test_only_the_last_lease_may_write",
    ),
    Mutant(
        "an unsafe step that died with its process is called again",
        f"{ROOM}/driving.py",
        "if isinstance(command, Call) and command.effect is Effect.UNSAFE:",
        "if False:",
        f"{TESTS}/test_crashes.py::test_a_death_anywhere_repeats_no_unsafe_step_and_loses_no_run",
    ),
    Mutant(
        "a call under way is made a second time",
        f"{ROOM}/driving.py",
        "isinstance(open_[0], Call) and not self._under_way:",
        "isinstance(open_[0], Call):",
        f"{TESTS}/test_engine.py::test_the_last_branch_under_way_is_called_once",
    ),
    Mutant(
        "a process takes runs that it has no functions for",
        f"{ROOM}/journal.py",
        '_KNOWN = "workflow IN (SELECT value FROM json_each(?))"',
        '_KNOWN = "? IS NOT NULL"',
        f"{TESTS}/test_engine.py::test_only_the_last_lease_may_write",
    ),
    Mutant(
        "a run of the same id is taken for the same whatever its input is",
        "src/leeward/adapter/runs.py",
        "    if has_input(found, call.input):",
        "    if found:",
        "tests/aws/test_runs.py::test_a_start_ends_as_is_proved",
    ),
    Mutant(
        "an id that is taken by a run that was not seen is a conflict",
        "src/leeward/adapter/runs.py",
        "            Outcome.AMBIGUOUS, code=looked.code",
        "            Outcome.CONFLICT, code=looked.code",
        "tests/aws/test_runs.py::test_a_start_ends_as_is_proved",
    ),
    Mutant(
        "true is the input 1",
        "src/leeward/run_calls.py",
        "    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)",
        "    return bool(one == other)",
        "tests/aws/test_runs.py::test_the_same_json_is_the_same_input",
    ),
    Mutant(
        "two starts of one id are not kept apart",
        "src/leeward/operations/deployed_runs.py",
        "        if single:",
        "        if call:",
        "tests/contract/test_runs.py::test_whoever_races_starts_one_run",
    ),
    Mutant(
        "a start that may have taken place is sent again",
        "src/leeward/routing/outcomes.py",
        "STARTED_ONCE = Rules(same=False, elsewhere=False, read_back=True)",
        "STARTED_ONCE = Rules(same=True, elsewhere=False, read_back=True)",
        "tests/contract/test_runs.py::test_a_start_that_may_have_taken_place_is_not_made_again_by_itself",
    ),
    Mutant(
        "a list in a payload is taken apart",
        "adapters/aws/src/leeward_aws/workflows/jsonata.py",
        '$type($x) = "array" ? [[$x]] : [$x]',
        '$type($x) = "array" ? [$x] : [$x]',
        "tests/workflow/test_engines.py::test_lists_stay_lists",
    ),
    Mutant(
        "a large result is lost",
        f"{ROOM}/journal.py",
        "            connection.executemany(ADD_RESULT, [*results, *own])",
        "            connection.executemany(ADD_RESULT, results)",
        f"{TESTS}/test_results.py::test_a_journal_of_the_first_layout_is_changed_over",
    ),
    Mutant(
        "what a branch has returned is lost if another one fails",
        "src/leeward/workflow/kernel.py",
        "    for each in inner:\n        added =",
        "    for each in inner if failure is None else ():\n        added =",
        "tests/workflow/test_engines.py::test_the_embedded_engine_and_the_kernel_end_so",
    ),
    Mutant(
        "a state machine does not look at the results of a branch",
        "adapters/aws/src/leeward_aws/workflows/machine.py",
        'whole(f"{kept} > {around.most}")',
        'whole(f"{kept} < 0")',
        "tests/workflow/test_engines.py::test_large_data_end_no_machine",
    ),
    Mutant(
        "a state machine begins with more elements than its history holds",
        "adapters/aws/src/leeward_aws/workflows/machine.py",
        '{"Condition": whole(too_long), "Next"',
        '{"Condition": whole("false"), "Next"',
        "tests/workflow/test_engines.py::test_a_list_that_is_too_long_begins_with_no_element",
    ),
    Mutant(
        "a source of Google does not count its results",
        "adapters/google/src/leeward_google/workflows/source.py",
        "n > {self._most}",
        "n < 0",
        "tests/workflow/test_engines.py::test_large_results_end_no_run_of_other_engines",
    ),
    Mutant(
        "an orchestrator does not count its results",
        "src/leeward/workflow/orchestration.py",
        '            if size > most("results"):',
        "            if size < 0:",
        "tests/workflow/test_engines.py::test_large_results_end_no_run_of_other_engines",
    ),
    Mutant(
        "a text goes to Lambda as the JSON in it",
        "adapters/aws/src/leeward_aws/workflows/jsonata.py",
        '\'$type($p) in ["string", "null"]\'',
        "'false'",
        "tests/workflow/test_engines.py::test_what_an_engine_cannot_keep_it_refuses",
    ),
    Mutant(
        "JSONata compares whole numbers that it has rounded",
        "adapters/aws/src/leeward_aws/workflows/jsonata.py",
        "$abs($x) >= 9007199254740992",
        "$abs($x) > 9e99",
        "tests/workflow/test_engines.py::test_what_an_engine_cannot_keep_it_refuses",
    ),
    Mutant(
        "an undo is one level too deep for its function",
        "src/leeward/workflow/kernel.py",
        "is_deeper(payload, DEEPEST - 1)",
        "is_deeper(payload, DEEPEST)",
        "tests/workflow/test_kernel.py::test_whatever_a_step_gets_its_undo_can_get_too",
    ),
    Mutant(
        "a mistake in YAML is told with the line of its parent",
        "src/leeward/workflow/files.py",
        "        line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]",
        "        node = pairs[0][1]",
        "tests/workflow/test_definition.py::test_a_mistake_in_yaml_is_told_with_its_line",
    ),
    Mutant(
        "a run that goes on passes for one that did not run",
        "src/leeward/cli/output/exit_codes.py",
        "GOES_ON: Final = ExitCode(10,",
        "GOES_ON: Final = ExitCode(7,",
        "tests/cli/test_workflow.py::test_a_run_that_goes_on_has_an_exit_code_of_its_own",
    ),
    Mutant(
        "check takes a function that no target has",
        "src/leeward/cli/commands/workflow.py",
        "    options.check_functions(config, found)\n",
        "",
        "tests/cli/test_workflow.py::test_a_function_that_no_target_has_is_found_by_check",
    ),
)
