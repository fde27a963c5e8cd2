"""Faults of the plugin that loses answers."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a double passes",
        "extras/lose_answers/src/leeward_lose_answers/plugin.py LoseAnswers.pytest_sessionfinish",
        "....TESTS_FAILED",
        "....OK",
        "tests/lose_answers/test_plugin.py::test_a_double_is_named_and_fails_the_session",
    ),
    Mutant(
        "an action that reads counts as an effect",
        "extras/lose_answers/src/leeward_lose_answers/effects.py _is_read",
        "bool(READ_ACTION.match(action.rpartition(' ')[2]))",
        "False",
        "tests/lose_answers/test_effects.py::test_reads_have_no_effect",
    ),
    Mutant(
        "anybody may use the relay",
        "extras/lose_answers/src/leeward_lose_answers/postgres.py Relays._carry",
        "self._takes(client)",
        "True",
        "tests/lose_answers/test_postgres.py::"
        "test_the_relay_takes_connections_of_this_process_only",
    ),
)
