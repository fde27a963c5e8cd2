"""Faults in how messages are given up, and moved back."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "letters go back to a handler that no version has",
        "src/leeward/cli/dead_letters.py StoreLetters.flaw_of",
        "is_taken(to, handlers)",
        "True",
        "tests/worker/test_versions.py::"
        "test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads",
    ),
    Mutant(
        "a handler of messages is called by its queue",
        "src/leeward/_delivery/runner.py AppRunner.claim",
        "handler.kind is Kind.MESSAGE",
        "False",
        "tests/cli/test_dead_letters.py::test_a_handler_of_messages_goes_by_its_own_name",
    ),
    Mutant(
        "a letter is made of a message whose key another run has",
        "src/leeward/app/dead_letters.py next_step",
        "failure.waits",
        "False",
        "tests/app/test_dead_letters.py::test_no_letter_is_made_of_what_waits_or_is_done",
    ),
    Mutant(
        "a letter is made of a message that has run",
        "src/leeward/app/dead_letters.py DeadLetters.finish",
        "failure is None or failure.is_done",
        "failure is None",
        "tests/app/test_dead_letters.py::test_no_letter_is_made_of_what_waits_or_is_done",
    ),
    Mutant(
        "a message is acknowledged whose dead letter may not be there",
        "src/leeward/app/dead_letters.py DeadLetters._send",
        "False",
        "True",
        "tests/app/test_dead_letters.py::"
        "test_what_is_not_proved_to_be_given_up_is_not_acknowledged",
    ),
    Mutant(
        "a later attempt is taken for a proof that none has run",
        "src/leeward/app/dead_letters.py ran_in_any_attempt",
        "'maybe' if failure.ran == 'no' and attempt != 1 else failure.ran",
        "failure.ran",
        "tests/app/test_settling.py::test_that_nothing_ran_is_said_on_proof_alone",
    ),
    Mutant(
        "what may have run is moved back by itself",
        "src/leeward/cli/dead_letters.py redrive",
        "found.ran == 'no'",
        "found.ran != 'yes'",
        "tests/app/test_dead_letters.py::"
        "test_by_itself_only_what_is_proved_not_to_have_run_is_moved",
    ),
    Mutant(
        "a letter is moved that others may have by now",
        "src/leeward/cli/dead_letters.py QueueLetters._hold",
        "hidden.outcome is not Outcome.OK",
        "False",
        "tests/app/test_dead_letters.py::test_a_slow_redrive_doubles_no_letter",
    ),
)
