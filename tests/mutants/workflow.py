"""Faults of workflows: what a flow means, and what the embedded engine keeps."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

WAITING: Final = "tests/workflow/test_waiting.py::TestWaitingInAFile"

MUTANTS: Final = (
    Mutant(
        "an event that a wait has had is given to the next one, in the next lease",
        "src/leeward/workflow/embedded/driving.py Drive._replay",
        "self._inbox.note_end(command, noted.answer)\n...",
        "...",
        "tests/workflow/test_events.py::test_an_event_of_another_process_continues_the_run",
    ),
    Mutant(
        "a run that another one waits for tells nobody of its end",
        "src/leeward/workflow/embedded/sqlite_journal.py SqliteJournal.finish.write",
        "_tell_parent(connection, key, answer, now)\n...",
        "...",
        f"{WAITING}::test_a_flow_waits_for_another_one",
    ),
    Mutant(
        "a cancelled run undoes its steps while a run that it has started goes on",
        "src/leeward/workflow/embedded/driving.py Drive._begin_children",
        "self._write(...) is None",
        "True",
        f"{WAITING}::test_a_cancel_and_a_deadline_reach_the_run_of_a_flow",
    ),
    Mutant(
        "what is left of a run that failed is not undone",
        "src/leeward/workflow/commands.py end_of_child",
        "answer.ambiguous or bool(answer.steps)",
        "False",
        f"{WAITING}::test_a_run_that_has_ended_well_is_undone_as_a_whole",
    ),
    Mutant(
        "flows run each other for ever",
        "src/leeward/workflow/kernel.py _run",
        "id.count('.') > ...",
        "False",
        f"{WAITING}::test_a_flow_that_runs_itself_for_ever_is_ended_by_name",
    ),
    Mutant(
        "a rerun keeps a step that was undone",
        "src/leeward/workflow/embedded/engine.py _keep",
        "place[0] in undone",
        "False",
        f"{WAITING}::test_a_run_goes_on_where_it_failed",
    ),
    Mutant(
        "a rerun takes the result of a step that is another one by now",
        "src/leeward/workflow/embedded/engine.py _keep",
        "_work_of(command) != ...",
        "False",
        f"{WAITING}::test_what_was_done_before_is_not_done_otherwise",
    ),
    Mutant(
        "the undo of a kept step does not know the key that the step had",
        "src/leeward/workflow/kernel.py _Scope.key",
        "self.kept.get(..., self.run)",
        "self.run",
        f"{WAITING}::test_a_step_that_was_kept_is_undone_with_the_key_that_it_had",
    ),
    Mutant(
        "an event that comes while a lease is given back wakes nobody",
        "src/leeward/workflow/embedded/sqlite_journal.py SqliteJournal.release",
        "now if has_more else due",
        "due",
        "tests/workflow/test_journal.py::TestSqliteJournal::"
        "test_an_event_is_kept_once_and_wakes_a_run_that_waits",
    ),
    Mutant(
        "an event counts although the wait was over",
        "src/leeward/workflow/embedded/driving.py Inbox.answer",
        "event.at <= due",
        "True",
        "tests/workflow/test_driving.py::test_an_event_after_the_end_of_a_wait_is_too_late",
    ),
    Mutant(
        "a round knows the results of the round before",
        "src/leeward/workflow/kernel.py _repeat",
        "{**before, node.id: number}",
        "{**scope.variables, node.id: number}",
        "tests/workflow/test_waits.py::test_a_round_knows_no_result_of_the_round_before",
    ),
    Mutant(
        "an answer to one round counts for the next",
        "src/leeward/workflow/kernel.py _wait",
        "(path.replace('/', '.'),)",
        "node.names",
        "tests/workflow/test_waits.py::test_an_answer_counts_for_the_round_that_has_asked",
    ),
    Mutant(
        "an engine runs a flow that it does not know whole",
        "src/leeward/workflow/orchestration.py orchestrate",
        "check_portable(definition)\n...",
        "...",
        "tests/workflow/test_waits.py::test_what_an_engine_does_not_have_yet_is_refused_by_name",
    ),
    Mutant(
        "the rounds of a loop have one key",
        "src/leeward/workflow/kernel.py _repeat",
        "f'{suffix}/{number}'",
        "suffix",
        "tests/workflow/test_waits.py::"
        "test_a_loop_ends_when_its_test_holds_or_after_its_last_round",
    ),
    Mutant(
        "runs of one workflow hold up those of another",
        "src/leeward/workflow/embedded/sqlite_journal.py",
        "'PARTITION BY workflow'",
        "'PARTITION BY true'",
        "tests/workflow/test_journal.py::TestSqliteJournal::"
        "test_runs_of_one_workflow_hold_up_none_of_another",
    ),
    Mutant(
        "a name in leeward.toml counts as a function that can be called",
        "src/leeward/workflow/steps.py ClientFunctions.list_absent",
        "{*functions_of(definition)}",
        "{*functions_of(definition)} - {*operations.config.functions}",
        "tests/workflow/test_versions.py::"
        "test_a_run_is_left_to_a_version_that_can_call_its_functions",
    ),
    Mutant(
        "a client drives runs whose functions it has not",
        "src/leeward/workflow/opening.py open_runs",
        "{'absent': functions.list_absent} if isinstance(path, Path) else {}",
        "{}",
        "tests/workflow/test_versions.py::"
        "test_a_process_without_the_functions_leaves_the_runs_that_it_starts",
    ),
    Mutant(
        "a step that may have run is not taken back",
        "src/leeward/workflow/kernel.py _attempts",
        "answer.ambiguous or (repeats_ambiguous(retry) and answer.name not in model.UNSTOPPABLE)",
        "repeats_ambiguous(retry) and answer.name not in model.UNSTOPPABLE",
        "tests/workflow/test_kernel.py::test_the_order_ends_as_it_must",
    ),
    Mutant(
        "an unsafe step may be tried again on its own error",
        "src/leeward/workflow/checks.py _Check.step",
        "step.effect is not Effect.UNSAFE",
        "True",
        "tests/workflow/test_definition.py::"
        "test_what_an_engine_cannot_do_is_refused_where_it_is_written",
    ),
    Mutant(
        "a status proves something of a function that does not mark its answers",
        "extras/deploy/src/leeward_deploy/google/flows/steps.py FunctionCalls._args",
        "function in self._marks",
        "True",
        "tests/workflow/test_engines.py::"
        "test_a_status_proves_nothing_of_a_function_that_does_not_mark_its_answers",
    ),
    Mutant(
        "a problem has no name in a flow",
        "src/leeward/envelope.py name_of_error",
        "kind == PROBLEM",
        "False",
        "tests/workflow/test_engine.py::test_what_the_clients_exceptions_mean",
    ),
    Mutant(
        "an unsafe step that died with its process is called again",
        "src/leeward/workflow/embedded/driving.py Drive._replay",
        "command.effect is Effect.UNSAFE or deaths >= command.attempts",
        "deaths >= command.attempts",
        "tests/workflow/test_crashes.py::"
        "test_a_death_anywhere_repeats_no_unsafe_step_and_loses_no_run",
    ),
    Mutant(
        "a run of the same id is taken for the same whatever its input is",
        "src/leeward/adapter/runs.py already_there",
        "has_input(found, call.input)",
        "found",
        "tests/aws/test_runs.py::test_a_start_ends_as_is_proved",
    ),
    Mutant(
        "true is the input 1",
        "src/leeward/json_text.py _is_same_value",
        "isinstance(one, bool) == isinstance(other, bool) and bool(one == other)",
        "bool(one == other)",
        "tests/aws/test_runs.py::test_the_same_json_is_the_same_input",
    ),
    Mutant(
        "two starts of one id are not kept apart",
        "src/leeward/workflow/deployed.py DeployedRuns.start",
        "if single:\n    ...",
        "if call:\n    ...",
        "tests/contract/test_runs.py::test_whoever_races_starts_one_run",
    ),
    Mutant(
        "a start that may have taken place is sent again",
        "src/leeward/_routing/outcomes.py",
        "EffectRules(same=False, elsewhere=False, read_back=True)",
        "EffectRules(same=True, elsewhere=False, read_back=True)",
        "tests/contract/test_runs.py::"
        "test_a_start_that_may_have_taken_place_is_not_made_again_by_itself",
    ),
    Mutant(
        "a list in a payload is taken apart",
        "extras/deploy/src/leeward_deploy/aws/flows/jsonata.py _list_of",
        "'array\" ? [[$x]] : [$x'",
        "'array\" ? [$x] : [$x'",
        "tests/workflow/test_engines.py::test_lists_stay_lists",
    ),
    Mutant(
        "a large result is lost",
        "src/leeward/workflow/embedded/sqlite_journal.py SqliteJournal.finish.write",
        "[*results, *own]",
        "results",
        "tests/workflow/test_results.py::test_a_run_alone_may_have_a_large_result",
    ),
    Mutant(
        "a retry that names an error drops the proofs",
        "src/leeward/workflow/flow.py retry_of",
        "check_retry(retry, default).with_proofs()",
        "check_retry(retry, default)",
        "tests/workflow/test_definition.py::test_a_retry_that_names_an_error_keeps_the_proofs",
    ),
    Mutant(
        "a run that is started again is left to its dead process",
        "src/leeward/workflow/embedded/engine.py Engine.start",
        "row.state is RunState.RUNNING",
        "False",
        "tests/workflow/test_leases.py::test_a_run_of_a_dead_process_goes_on_at_once",
    ),
    Mutant(
        "a run begins that has no worker",
        "src/leeward/workflow/embedded/workers.py RunWorkers.place",
        "len(self.held) + self._starting",
        "len(self.held)",
        "tests/workflow/test_engine.py::test_a_run_begins_with_its_first_step",
    ),
    Mutant(
        "a number that was given anew is taken for the process",
        "src/leeward/leases/holders.py is_gone",
        "... != holder.began",
        "... is None",
        "tests/workflow/test_leases.py::test_a_dead_process_is_told_from_others",
    ),
    Mutant(
        "somebody who sets the clock moves runs",
        "src/leeward/leases/holders.py SteadyClock.now",
        "self._clock.monotonic() + self._offset",
        "self._clock.now()",
        "tests/workflow/test_leases.py::"
        "test_a_clock_set_by_an_hour_takes_nothing_and_strands_nothing",
    ),
    Mutant(
        "a state machine does not look at the results of a branch",
        "extras/deploy/src/leeward_deploy/aws/flows/machine.py Machine._check_results",
        "f'{kept} > {around.most}'",
        "f'{kept} < 0'",
        "tests/workflow/test_engines.py::test_large_data_end_no_machine",
    ),
    Mutant(
        "a run that goes on passes for one that did not run",
        "src/leeward/cli/output/exit_codes.py",
        "10",
        "7",
        "tests/cli/test_workflow.py::test_a_run_that_goes_on_has_an_exit_code_of_its_own",
    ),
    Mutant(
        "check takes a function that no target has",
        "src/leeward/cli/commands/workflow.py check",
        "options.check_functions(config, found)\n...",
        "...",
        "tests/cli/test_workflow.py::test_a_function_that_no_target_has_is_found_by_check",
    ),
    Mutant(
        "a foreign function that recognises its keys is asked although its step says no",
        "src/leeward/workflow/reading.py settle_of",
        "given is not False",
        "True",
        "tests/workflow/test_settling.py::test_who_is_asked_follows_from_what_is_declared",
    ),
    Mutant(
        "the answer to a question is not read from the journal",
        "src/leeward/workflow/embedded/rows.py read_answer",
        "int(told['voids'])",
        "0",
        "tests/workflow/test_settling.py::test_a_question_survives_the_process_that_has_asked_it",
    ),
    Mutant(
        "a question of an orchestrator that failed itself is an answer",
        "src/leeward/workflow/orchestration.py _Orchestration._answer_of",
        "Verdict.RUNNING",
        "Verdict.NOT_RUN",
        "tests/workflow/test_durable.py::test_a_question_whose_host_died_is_asked_again",
    ),
)
