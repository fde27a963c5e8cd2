"""Faults of PostgreSQL's adapter."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_HERE: Final = "adapters/postgres/src/leeward_postgres"
_SCHEMA: Final = f"{_HERE}/schema/data.py"
_QUEUES: Final = f"{_HERE}/schema/queues.py"
_CONNECTIONS: Final = f"{_HERE}/connections.py"
_OUTCOMES: Final = f"{_HERE}/outcomes.py"
_SETTINGS: Final = f"{_HERE}/settings.py"

_FAULTS: Final = "tests/postgres/test_faults.py"
_SETTLED: Final = "tests/postgres/test_settlements.py"
_CODES: Final = "tests/postgres/test_outcomes.py"
_TLS: Final = "tests/postgres/test_tls.py"
_OPTIONS: Final = "tests/postgres/test_settings.py"
_JOURNAL: Final = "tests/postgres/test_journal.py"
_RUNS: Final = "tests/postgres/test_runs.py"
_CONTRACT: Final = f"{_JOURNAL}::TestPostgresJournal"
_DELIVERIES: Final = "tests/postgres/test_deliveries.py"
_RIGHTS: Final = "tests/postgres/test_rights.py"
_APPS: Final = "tests/postgres/test_apps.py"

MUTANTS: Final = (
    Mutant(
        "two apps of a schema are one recipient",
        f"{_HERE}/schema/apps.py",
        "unnest(ARRAY['', p_app || '/']) AS name",
        "unnest(ARRAY['']) AS name",
        f"{_APPS}::test_each_of_two_apps_gets_each_event_under_one_name_of_a_handler",
    ),
    Mutant(
        "two apps that live serve one queue",
        f"{_HERE}/schema/apps.py",
        "WHERE bus = '' AND app <> p_app AND until > clock_timestamp() LIMIT 1;",
        "WHERE bus = '' AND app <> p_app AND until < clock_timestamp() LIMIT 1;",
        f"{_APPS}::test_a_queue_that_a_live_app_serves_is_refused_to_another",
    ),
    Mutant(
        "a worker that lives is not renewed",
        "src/leeward/_delivery/runner.py",
        "and monotonic() - self._claimed > RENEWED:",
        "and not self._names:",
        f"{_APPS}::test_a_worker_that_lives_is_renewed",
    ),
    Mutant(
        "a client of another stage uses a schema",
        f"{_HERE}/checks.py",
        "    if None not in (stage, own_stage) and stage != own_stage:",
        "    if False:",
        f"{_APPS}::test_a_schema_belongs_to_one_stage",
    ),
    Mutant(
        "a worker of another stage waits for ever",
        f"{_HERE}/deliveries.py",
        "            if result.code == WRONG_STAGE:",
        "            if False:",
        f"{_APPS}::test_a_worker_of_another_stage_is_refused_at_its_start",
    ),
    Mutant(
        "a changed schedule makes up for what ran, at the server",
        f"{_HERE}/deliveries.py",
        "OR own.expression <> excluded.expression",
        "OR own.expression = ''",
        f"{_APPS}::test_a_changed_schedule_begins_now",
    ),
    Mutant(
        "a run of another app is taken",
        f"{_HERE}/schema/runs.py",
        "coalesce(app = p_app, true)",
        "coalesce(app <> '', true)",
        f"{_APPS}::test_runs_of_another_app_are_left_to_it",
    ),
    Mutant(
        "a role has no right on what an upgrade adds",
        f"{_HERE}/schema/apps.py",
        "'{schema}.subscriptions'::regclass",
        "'{schema}.recipients'::regclass",
        f"{_APPS}::test_a_role_that_published_before_the_upgrade_publishes_after_it",
    ),
    Mutant(
        "a program of version 2 cannot start a run",
        f"{_HERE}/schema/runs.py",
        "CREATE OR REPLACE FUNCTION {schema}.add_run(",
        "CREATE OR REPLACE FUNCTION {schema}.add_run_of_before(",
        f"{_APPS}::test_programs_of_version_2_go_on",
    ),
    Mutant(
        "at the server a newer version ends an older one that lives",
        f"{_HERE}/schema/apps.py",
        "AND live.version = old.version AND live.until > clock_timestamp());",
        "AND live.version = old.version AND live.until < 'epoch');",
        "tests/worker/test_versions.py::test_a_version_ends_when_a_newer_one_lives_without_it",
    ),
    Mutant(
        "at the server an event that was parked stays so",
        f"{_HERE}/schema/apps.py",
        "coalesce(error = 'NotTaken: ' || own.type, true)",
        "own.type = ''",
        "tests/worker/test_versions.py"
        "::test_a_waiting_event_of_another_type_is_parked_and_comes_back",
    ),
    Mutant(
        "the server hands out runs of versions that are left",
        f"{_HERE}/schema/runs.py",
        "WHERE version <> ALL (p_left)",
        "WHERE version IS NOT NULL",
        _CONTRACT,
    ),
    Mutant(
        "a store leaves no id behind",
        _SCHEMA,
        "        RETURN {schema}.unmet(p_id);\n    END IF;\n"
        "    PERFORM {schema}.record_write(p_id);\n    RETURN 'ok';",
        "        RETURN {schema}.unmet(p_id);\n    END IF;\n    RETURN 'ok';",
        f"{_SETTLED}::test_300_writes_lost_in_five_ways_are_settled",
    ),
    Mutant(
        "a write that was settled takes place",
        _SCHEMA,
        "        RAISE EXCEPTION 'the write was settled before it came' USING ERRCODE = "
        "'{SETTLED}';\n",
        "",
        f"{_SETTLED}::test_a_settled_write_never_takes_place",
    ),
    Mutant(
        "a write that was sent again takes place twice",
        _SCHEMA,
        "            RAISE EXCEPTION 'the write took place before' USING ERRCODE = '{REPEATED}';\n",
        "            RETURN;\n",
        f"{_SETTLED}::test_a_write_that_others_have_followed_is_known",
    ),
    Mutant(
        "what was pruned is said not to have run",
        _SCHEMA,
        "        ELSIF p_id >= {schema}.ids_from({SURE_SECONDS}) AND",
        "        ELSIF",
        f"{_SETTLED}::test_a_write_of_long_ago_may_be_unknown",
    ),
    Mutant(
        "an ended session proves that nothing ran",
        _OUTCOMES,
        "    is_proof = not is_fatal or stage is not Stage.COMMITTING",
        "    is_proof = True",
        f"{_CODES}::test_what_ends_the_session_proves_nothing_of_a_commit",
    ),
    Mutant(
        "a lost connection proves that nothing ran",
        _OUTCOMES,
        "        return Result(Outcome.AMBIGUOUS, code=code)",
        "        return Result(Outcome.NOT_SENT, code=code)",
        f"{_SETTLED}::test_a_client_settles_what_it_does_not_know",
    ),
    Mutant(
        "an ended connection is used",
        _CONNECTIONS,
        "        return not self._look()",
        "        return True",
        f"{_FAULTS}::test_a_session_that_the_server_ends_is_noticed",
    ),
    Mutant(
        "an error has what psycopg knows of the connection",
        _CONNECTIONS,
        "._replace(cause=type(error)(words))",
        "._replace(cause=error)",
        f"{_FAULTS}::test_a_wrong_password_is_auth_and_is_shown_nowhere",
    ),
    Mutant(
        "libpq reads its variables in the hardened mode",
        _SETTINGS,
        '            ours.setdefault(name, default or _DEFAULTS.get(name, ""))',
        "            pass",
        f"{_OPTIONS}::test_the_hardened_mode_leaves_libpq_no_variable",
    ),
    Mutant(
        "the hardened mode connects to nobody",
        _SETTINGS,
        'default or _DEFAULTS.get(name, "")',
        "default",
        f"{_TLS}::test_a_server_that_does_not_prove_who_it_is_is_told_nothing",
    ),
    Mutant(
        "a server elsewhere need not prove who it is",
        _SETTINGS,
        'ours["sslmode"] = found.get("sslmode", VERIFIED)',
        'ours["sslmode"] = found.get("sslmode", "prefer")',
        f"{_TLS}::test_no_password_leaves_for_a_server_that_is_not_verified",
    ),
    Mutant(
        "who gives up the identity gives up the encryption",
        _SETTINGS,
        'dict.fromkeys(("disable", "allow", "prefer"), ("encryption",)),',
        'dict.fromkeys(("disable", "allow", "prefer"), ("encryption", "identity")),',
        f"{_OPTIONS}::test_another_server_is_verified_unless_the_operator_gives_that_up",
    ),
    Mutant(
        "a service may lead anywhere without TLS",
        _SETTINGS,
        '    if "service" in told and hosts == addresses == [""]:',
        "    if False:",
        f"{_OPTIONS}::test_what_leads_elsewhere_is_verified",
    ),
    Mutant(
        "a claim walks past the rows of others",
        _QUEUES,
        "deliveries_by_id ON {schema}.deliveries USING hash (id)",
        "deliveries_by_id ON {schema}.deliveries (id)",
        "tests/postgres/test_claims.py::test_a_claim_walks_past_no_row_of_another_state",
    ),
    Mutant(
        "a claim walks past what is under way",
        _QUEUES,
        "AND due <> 0 AND due < 'infinity' AND due > low AND due <= high",
        "AND due <> 0 AND due < 'infinity' AND due + 0 > low AND due + 0 <= high",
        "tests/postgres/test_claims.py::test_a_claim_walks_past_no_row_of_another_state",
    ),
    Mutant(
        "schedules go by the clock of each worker",
        f"{_HERE}/deliveries.py",
        "        return self._rows.now()\n",
        "        return clock.now()\n",
        f"{_APPS}::test_schedules_go_by_the_servers_clock",
    ),
    Mutant(
        "each queue of a worker looks for itself",
        "src/leeward/_delivery/dispatcher.py",
        "if self._is_done and (pause := self._store.quiet(receivers)):",
        "if False and (pause := self._store.quiet(receivers)):",
        "tests/postgres/test_wakes.py::test_an_idle_worker_asks_once_a_second",
    ),
    Mutant(
        "nobody hears that a message has come",
        f"{_HERE}/hints.py",
        "                    self._hear(names)\n",
        "                    pass\n",
        "tests/postgres/test_wakes.py::test_a_message_of_another_process_comes_at_once",
    ),
    Mutant(
        "functions of the schema look into `public`",
        f"{_HERE}/schema/__init__.py",
        "'ALTER FUNCTION %s SET search_path = {PATH}'",
        "'ALTER FUNCTION %s RESET search_path'",
        f"{_RIGHTS}::test_no_call_reaches_what_others_have_planted",
    ),
    Mutant(
        "a connection looks into `public`",
        f"{_HERE}/checks.py",
        "set_config('search_path', '{PATH}', false)",
        "set_config('search_path', 'public', false)",
        f"{_RIGHTS}::test_a_connection_keeps_a_fixed_search_path",
    ),
    Mutant(
        "a statement behind a pooler calls what stands in `public`",
        f"{_HERE}/tables.py",
        'AND key {_OP}=) %s::text[]"',
        'AND key = %s::text[]"',
        f"{_RIGHTS}::test_no_call_reaches_what_others_have_planted",
    ),
    Mutant(
        "who may only read writes by a function",
        f"{_HERE}/schema/__init__.py",
        "'REVOKE ALL ON FUNCTION %s FROM PUBLIC'",
        "'GRANT EXECUTE ON FUNCTION %s TO PUBLIC'",
        f"{_RIGHTS}::test_who_may_only_read_calls_no_function",
    ),
    Mutant(
        "a role that published before the upgrade may call nothing",
        f"{_HERE}/schema/__init__.py",
        "        IF v_roles <> '' THEN",
        "        IF false THEN",
        f"{_APPS}::test_a_role_that_published_before_the_upgrade_publishes_after_it",
    ),
    Mutant(
        "the hardened mode trusts whoever shows a certificate",
        _SETTINGS,
        '"sslmode": VERIFIED, "sslrootcert"',
        '"sslmode": "require", "sslrootcert"',
        f"{_TLS}::test_a_server_that_does_not_prove_who_it_is_is_told_nothing",
    ),
    Mutant(
        "a start writes about a run that was there",
        f"{_HERE}/journal.py",
        "CASE WHEN is_new THEN @.write_runs(",
        "CASE WHEN true THEN @.write_runs(",
        _CONTRACT,
    ),
    Mutant(
        "a process that has lost its lease writes about the run",
        f"{_HERE}/schema/runs.py",
        "AND id = p_ids[v_at] AND fence = p_fences[v_at]\n",
        "AND id = p_ids[v_at]\n",
        _CONTRACT,
    ),
    Mutant(
        "a lease of another fence seems to be held",
        f"{_HERE}/journal.py",
        "[(*key, fence) in rows for key, fence in leases]",
        "[key in {(row[0], row[1]) for row in rows} for key, _ in leases]",
        _CONTRACT,
    ),
    Mutant(
        "a guarded step begins though its run was cancelled",
        f"{_HERE}/schema/runs.py",
        "CASE WHEN guarded AND v_words[run] <> 'nothing' THEN p_now[run] ELSE ended END",
        "ended",
        _CONTRACT,
    ),
    Mutant(
        "a backslash ends an element of an array",
        f"{_HERE}/statements.py",
        '.replace("\\\\", "\\\\\\\\")',
        "",
        f"{_JOURNAL}::test_any_text_comes_back",
    ),
    Mutant(
        "a call that died with its process is not counted",
        f"{_HERE}/schema/runs.py",
        "lost.times + (lost.fence = excluded.fence)::integer",
        "lost.times",
        _CONTRACT,
    ),
    Mutant(
        "a machine's wall clock decides about leases",
        "src/leeward/workflow/embedded/journal.py",
        "        super().__init__(clock or SystemClock(), self._begin)\n",
        "        super().__init__(clock or SystemClock(), lambda ahead: ahead)\n",
        f"{_JOURNAL}::test_time_is_the_servers",
    ),
    Mutant(
        "who can call no function fails the runs of others",
        "src/leeward/workflow/opening.py",
        "WORKERS * any(Capability.INVOKE in each.capabilities for each in drivers.values())",
        "WORKERS",
        f"{_RUNS}::test_who_can_call_no_function_leaves_runs_to_others",
    ),
    Mutant(
        "an acknowledgement counts whoever has the lease",
        _QUEUES,
        "        WHERE row.id = done.id AND row.lease = done.lease\n",
        "        WHERE row.id = done.id\n",
        f"{_DELIVERIES}::test_a_late_acknowledgement_ends_no_other_lease",
    ),
    Mutant(
        "a lane that somebody has a row of gives another one",
        _QUEUES,
        "other.lease IS NOT NULL AND other.due > v_now\n",
        "false\n",
        f"{_DELIVERIES}::test_a_row_that_is_committed_late_goes_after_the_one_under_way",
    ),
    Mutant(
        "what is published again is kept again",
        _QUEUES,
        "    WHERE event.id IS NULL OR event.id IN (SELECT id FROM new) ORDER BY",
        "    ORDER BY",
        f"{_DELIVERIES}::test_an_event_goes_to_those_who_subscribe_to_its_type_and_once",
    ),
    Mutant(
        "dead rows stay where they are",
        _QUEUES,
        "        EXECUTE format('TRUNCATE %s', v_old);\n",
        "        NULL;\n",
        f"{_DELIVERIES}::test_a_held_snapshot_keeps_no_more_than_one_turn_of_dead_rows",
    ),
    Mutant(
        "what waits is lost with its table",
        _QUEUES,
        "        SELECT id, v_turn.half, bus, subscriber, lane, idempotency_key, document, "
        "attempts,\n            CASE WHEN due < 'infinity' THEN due ELSE 0 END, lease, error\n"
        "        FROM left_over;",
        "        SELECT left_over.* FROM left_over WHERE false;",
        f"{_DELIVERIES}::test_a_held_snapshot_keeps_no_more_than_one_turn_of_dead_rows",
    ),
    Mutant(
        "a parked row waits for ever",
        _QUEUES,
        "    WHERE first.due = 'infinity' AND row.half",
        "    WHERE false AND row.half",
        f"{_DELIVERIES}::test_a_long_lane_is_delivered_whole_and_in_order",
    ),
)
"""Faults, each with the test that must see it."""
