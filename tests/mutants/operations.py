"""Faults of the operations of the client: checks, limits, deadlines, capabilities."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "the name of a workflow is whatever it is given",
        "src/leeward/workflow/checks.py check_run_id",
        "check_name(workflow, 'workflow')",
        "pass",
        "tests/client/test_odd_values.py::test_no_odd_argument_is_an_error_of_another_kind",
    ),
    Mutant(
        "a call whose time was over may have had an effect",
        "src/leeward/_delivery/functions.py result_of",
        'is_plain and cause is not None and failure.ran != "no"',
        "is_plain and cause is not None",
        "tests/client/test_odd_values.py::test_a_deadline_that_is_over_is_no_effect",
    ),
    Mutant(
        "an unsafe call may be given up before its function ends",
        "src/leeward/_operations/functions.py FunctionOperations.invoke",
        "call.effect is Effect.UNSAFE and seconds < call.time_limit",
        "False",
        "tests/client/test_bad_inputs.py::test_a_bad_argument_is_refused",
    ),
    Mutant(
        "a failure that had no effect is told to have run",
        "src/leeward/_operations/errors.py _raised_message",
        "fault.ran or 'maybe'",
        "'yes'",
        "tests/clouds/test_function_errors.py::"
        "test_what_a_handler_tells_of_a_problem_reaches_its_caller",
    ),
    Mutant(
        "a closed client sends",
        "src/leeward/_operations/operations.py Operations.check",
        "self.closed",
        "False",
        "tests/client/test_async.py::test_a_closed_client_sends_nothing",
    ),
    Mutant(
        "a batch goes on after its deadline",
        "src/leeward/_operations/events.py EventOperations.publish_events",
        "(yield (request, left)) if makes else None",
        "(yield (request, left))",
        "tests/client/test_methods.py::test_a_batch_has_one_deadline",
    ),
    Mutant(
        "a reader gives up when the budget for second tries is spent",
        "src/leeward/_operations/downloads.py Download._is_worth_another",
        "self.info is not None",
        "False",
        "tests/client/test_objects.py::"
        "test_the_rest_of_an_object_is_asked_for_again_however_often_it_is_cut",
    ),
    Mutant(
        "an object whose first bytes were cut is given up when the budget is spent",
        "src/leeward/_operations/downloads.py Download._is_worth_another",
        "result.executed",
        "False",
        "tests/clouds/test_cut_objects.py::test_a_body_that_is_cut_is_asked_for_again",
    ),
)
