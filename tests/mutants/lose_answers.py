"""Faults of the plugin that loses answers."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

SOURCE: Final = "lose_answers/src/leeward_lose_answers"
EFFECTS: Final = "tests/lose_answers/test_effects.py"
PLUGIN: Final = "tests/lose_answers/test_plugin.py"

MUTANTS: Final = (
    Mutant(
        "a double passes",
        f"{SOURCE}/plugin.py",
        "session.exitstatus = pytest.ExitCode.TESTS_FAILED",
        "session.exitstatus = pytest.ExitCode.OK",
        f"{PLUGIN}::test_a_double_is_named_and_fails_the_session",
    ),
    Mutant(
        "what chance repeats is reported",
        f"{SOURCE}/plugin.py",
        'if any(repeat.kind == "double" for repeat in repeats):',
        'if any(repeat.kind == "never" for repeat in repeats):',
        f"{PLUGIN}::test_what_chance_repeats_is_no_double",
    ),
    Mutant(
        "a worker keeps what it saw",
        f"{SOURCE}/plugin.py",
        "            self._summary.merge(text)",
        "            pass",
        f"{PLUGIN}::test_workers_hand_over_what_they_saw",
    ),
    Mutant(
        "an action that reads counts as an effect",
        f"{SOURCE}/effects.py",
        '        return bool(READ_ACTION.match(action.rpartition(" ")[2]))',
        "        return False",
        f"{EFFECTS}::test_reads_have_no_effect",
    ),
    Mutant(
        "a new key makes another effect",
        f"{SOURCE}/effects.py",
        'digest.update(_steady(KEY_FIELD.sub(rb"\\1", request.body)))',
        "digest.update(_steady(request.body))",
        f"{EFFECTS}::test_what_changes_with_each_attempt_does_not_count",
    ),
    Mutant(
        "the answer to any statement of a transaction counts",
        f"{SOURCE}/postgres.py",
        "(self._ends or not self._is_open) and self.has_written",
        "self.has_written",
        f"{EFFECTS}::test_transactions",
    ),
    Mutant(
        "anybody may use the relay",
        f"{SOURCE}/postgres.py",
        "            if self._takes(client):\n",
        "            if True:\n",
        "tests/lose_answers/test_postgres.py"
        "::test_the_relay_takes_connections_of_this_process_only",
    ),
    Mutant(
        "a POST of S3 is an effect each time",
        f"{SOURCE}/effects.py",
        'if scope and scope[1] == "s3" and',
        "if False and",
        f"{EFFECTS}::test_operations_of_s3_may_be_repeated",
    ),
)
