"""Faults of the operations of the client: checks, limits, deadlines, capabilities."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

OPERATIONS: Final = "src/leeward/_operations"
TESTS: Final = "tests/client"

MUTANTS: Final = (
    Mutant(
        "an unsafe call may be given up before its function ends",
        f"{OPERATIONS}/functions.py",
        "if call.effect is Effect.UNSAFE and seconds < call.time_limit:",
        "if False:",
        f"{TESTS}/test_bad_inputs.py::test_a_bad_argument_is_refused",
    ),
    Mutant(
        "what is configured of a function's marks does not reach its call",
        f"{OPERATIONS}/functions.py",
        "            bool(configured.marks),\n",
        "            False,\n",
        "tests/clouds/test_relays.py::test_a_function_that_marks_its_answers_moves_on",
    ),
    Mutant(
        "a failure that had no effect is told to have run",
        f"{OPERATIONS}/errors.py",
        '_RAISED[fault.ran or "maybe"]',
        '_RAISED["yes"]',
        "tests/clouds/test_function_errors.py"
        "::test_what_a_handler_tells_of_a_problem_reaches_its_caller",
    ),
    Mutant(
        "a driver of another kind is taken",
        "src/leeward/registry.py",
        "    if not isinstance(driver, Driver):\n",
        "    if False:\n",
        f"{TESTS}/test_bad_inputs.py::test_a_driver_of_another_kind_is_refused",
    ),
    Mutant(
        "a closed client sends",
        f"{OPERATIONS}/operations.py",
        "        if self.closed:\n",
        "        if False:\n",
        f"{TESTS}/test_async.py::test_a_closed_client_sends_nothing",
    ),
    Mutant(
        "a caller's later change reaches the stored item",
        f"{OPERATIONS}/operations.py",
        "            item.copy(),\n",
        "            item,\n",
        f"{TESTS}/test_methods.py::test_an_item_that_is_changed_later_changes_no_call",
    ),
    Mutant(
        "a batch goes on after its deadline",
        f"{OPERATIONS}/events.py",
        "batch.send((yield request, left) if makes else None)",
        "batch.send((yield request, left))",
        f"{TESTS}/test_methods.py::test_a_batch_has_one_deadline",
    ),
    Mutant(
        "an item above the limit is sent",
        f"{OPERATIONS}/operations.py",
        "if size.bytes > self.limits.smallest.item_bytes:",
        "if False:",
        f"{TESTS}/test_bad_inputs.py::test_a_bad_argument_is_refused",
    ),
    Mutant(
        "names of tables are remembered without bound",
        f"{OPERATIONS}/operations.py",
        "        if len(self._tables) >= MOST_KNOWN:\n            self._tables.clear()\n",
        "",
        f"{TESTS}/test_methods.py::test_no_number_of_tables_fills_the_memory",
    ),
    Mutant(
        "a capability that no target has is sent",
        f"{OPERATIONS}/operations.py",
        "if not (lacking.isdisjoint(POSSIBLE[call.verb]) or lacking.isdisjoint(needed_by(call))):",
        "if False:",
        f"{TESTS}/test_methods.py::test_a_missing_capability_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "if_absent and if_revision may stand together",
        f"{OPERATIONS}/arguments.py",
        '    if if_absent:\n        raise InvalidRequest(\n            "if_absent and if_revision',
        '    if False:\n        raise InvalidRequest(\n            "if_absent and if_revision',
        f"{TESTS}/test_bad_inputs.py::test_a_bad_argument_is_refused",
    ),
    Mutant(
        "a reader gives up when the budget for second tries is spent",
        "src/leeward/_operations/downloads.py",
        "return lost and self.info is not None and len(result.attempts) == 1",
        "return False",
        "tests/client/test_objects.py"
        "::test_the_rest_of_an_object_is_asked_for_again_however_often_it_is_cut",
    ),
    Mutant(
        "a client is pickled with what it holds",
        "src/leeward/client.py",
        "def __reduce__(self)",
        "def _reduce(self)",
        "tests/client/test_async.py::test_no_client_and_no_driver_crosses_a_process_by_a_pickle",
    ),
    Mutant(
        "another loop than asyncio's gets the interpreter's own words",
        "src/leeward/clock.py",
        "except RuntimeError as error:",
        "except KeyError as error:",
        "tests/client/test_async.py::test_another_loop_than_asyncios_is_told_so",
    ),
    Mutant(
        "a call in a handler is given time that the handler does not have",
        "src/leeward/watching.py",
        "return min(timeout, left)",
        "return timeout",
        "tests/app/test_core.py::test_a_call_in_a_handler_has_no_more_time_than_the_handler",
    ),
    Mutant(
        "records of idempotency are cut short when the handler's time is over",
        "src/leeward/_operations/operations.py",
        "        if watcher is UNWATCHED or (watcher is None and not UNDER_WAY):\n"
        "            return sender.perform(",
        "        if watcher is None and not UNDER_WAY:\n            return sender.perform(",
        "tests/app/test_core.py::test_what_leeward_keeps_for_a_handler_is_not_cut_short_by_it",
    ),
)
