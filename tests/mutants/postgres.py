"""Faults of PostgreSQL's adapter."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "two apps of a schema are one recipient",
        "adapters/postgres/src/leeward_postgres/schema/apps.py",
        "\", p_app || '/'\"",
        "''",
        "tests/postgres/test_apps.py::"
        "test_each_of_two_apps_gets_each_event_under_one_name_of_a_handler",
    ),
    Mutant(
        "a worker that lives is not renewed",
        "src/leeward/_delivery/runner.py AppRunner.handlers",
        "monotonic() - self._claimed > RENEWED",
        "not self._names",
        "tests/postgres/test_apps.py::test_a_worker_that_lives_is_renewed",
    ),
    Mutant(
        "the server hands out runs of versions that are left",
        "adapters/postgres/src/leeward_postgres/schema/runs.py",
        "'<> ALL (p_left)'",
        "'IS NOT NULL'",
        "tests/postgres/test_journal.py::TestPostgresJournal",
    ),
    Mutant(
        "in a copy of an earlier time a lease comes again",
        "src/leeward/workflow/embedded/sqlite_journal.py",
        "max(row.fence + 1, int(now + lease) - FENCE_0)",
        "row.fence + 1",
        "tests/workflow/test_journal.py::"
        "TestSqliteJournal::test_leases_of_two_times_have_two_fences",
    ),
    Mutant(
        "who has a file open does not see another one in its place",
        "src/leeward/_sqlite/database.py Database._ready",
        "_file_at(self.path) in (None, self._file)",
        "True",
        "tests/pairs/test_time.py::test_a_copy_in_the_place_of_the_file_is_what_all_see_at_once",
    ),
    Mutant(
        "a late end ends the row that has its number now",
        "src/leeward/_delivery/sqlite_store.py",
        "(row.id, row.attempt, row.idempotency_key)",
        "(row.id, row.attempt, connection.execute("
        "'SELECT idempotency_key FROM deliveries WHERE id = ?', (row.id,)).fetchone()[0])",
        "tests/delivery/test_store.py::"
        "TestSqlite::test_a_late_success_of_a_row_that_was_rolled_back_ends_no_other",
    ),
    Mutant(
        "a key is kept no longer for clocks that differ",
        "src/leeward/app/idempotency/record.py seconds_to_keep",
        "keep + CLOCKS",
        "keep",
        "tests/pairs/test_time.py::test_whenever_a_store_collects_no_verdict_is_wrong",
    ),
    Mutant(
        "an effect behind the lease asks nobody",
        "src/leeward/app/idempotency/running.py IdempotentRun._must_mark",
        "self.location.clock.monotonic() >= held.record.lease_until",
        "False",
        "tests/app/idempotent/test_overtaken.py::"
        "test_a_run_whose_record_was_settled_by_hand_begins_no_further_effect",
    ),
    Mutant(
        "a standby that was behind denies what it has lost",
        "adapters/postgres/src/leeward_postgres/schema/data.py",
        "'lineage <> v_lineage'",
        "'false'",
        "tests/postgres/test_standby.py::"
        "test_keys_and_voids_outlive_a_promotion_and_what_it_has_lost_is_unknown",
    ),
    Mutant(
        "a store leaves no id behind",
        "adapters/postgres/src/leeward_postgres/schema/data.py",
        "'PERFORM {schema}.record_write(p_id);\\n    RETURN'",
        "'RETURN'",
        "tests/postgres/test_settlements.py::test_300_writes_lost_in_five_ways_are_settled",
    ),
    Mutant(
        "an ended session proves that nothing ran",
        "adapters/postgres/src/leeward_postgres/outcomes.py result_of_error",
        "not is_fatal or stage is not Stage.COMMITTING",
        "True",
        "tests/postgres/test_outcomes.py::test_what_ends_the_session_proves_nothing_of_a_commit",
    ),
    Mutant(
        "an ended connection is used",
        "adapters/postgres/src/leeward_postgres/connections.py Session.is_usable",
        "not self._look()",
        "True",
        "tests/postgres/test_faults.py::test_a_session_that_the_server_ends_is_noticed",
    ),
    Mutant(
        "libpq reads its variables in the hardened mode",
        "adapters/postgres/src/leeward_postgres/settings.py _find",
        "ours.setdefault(name, default or _DEFAULTS.get(name, ''))",
        "pass",
        "tests/postgres/test_settings.py::test_the_hardened_mode_leaves_libpq_no_variable",
    ),
    Mutant(
        "a claim walks past the rows of others",
        "adapters/postgres/src/leeward_postgres/schema/queues.py",
        "'deliveries_lane ON {schema}.deliveries (bus, subscriber, lane, id)'",
        "'deliveries_lane ON {schema}.deliveries (id)'",
        "tests/postgres/test_claims.py::test_a_claim_walks_past_no_row_of_another_state",
    ),
    Mutant(
        "each queue of a worker looks for itself",
        "src/leeward/_delivery/dispatcher.py Dispatcher._take",
        "self._is_done and ...",
        "False and ...",
        "tests/postgres/test_wakes.py::test_an_idle_worker_asks_once_a_second",
    ),
    Mutant(
        "nobody hears that a message has come",
        "adapters/postgres/src/leeward_postgres/hints.py Hints._follow",
        "self._hear(names)",
        "pass",
        "tests/postgres/test_wakes.py::test_a_message_of_another_process_comes_at_once",
    ),
    Mutant(
        "functions of the schema look into `public`",
        "adapters/postgres/src/leeward_postgres/schema/__init__.py",
        "'SET search_path = {PATH}'",
        "'RESET search_path'",
        "tests/postgres/test_rights.py::test_no_call_reaches_what_others_have_planted",
    ),
    Mutant(
        "a backslash ends an element of an array",
        "adapters/postgres/src/leeward_postgres/statements.py _element",
        "value.replace('\\\\', '\\\\\\\\')",
        "value",
        "tests/postgres/test_journal.py::test_any_text_comes_back",
    ),
    Mutant(
        "a server that says it has no TLS gets the password",
        "adapters/postgres/src/leeward_postgres/settings.py parameters_of",
        "found.get('sslmode', VERIFIED)",
        "found.get('sslmode', 'prefer')",
        "tests/postgres/test_tls.py::test_no_password_leaves_for_a_server_that_is_not_verified",
    ),
)
