"""Faults of deliveries and of the file that they are kept in."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

DELIVERY: Final = "src/leeward/_delivery"
RULES: Final = "src/leeward/leases/rules.py"
SQLITE: Final = "src/leeward/_sqlite"
TESTS: Final = "tests/delivery"

VERSIONS: Final = "tests/worker/test_versions.py"
OWNERS: Final = "tests/local/test_owners.py"

MUTANTS: Final = (
    Mutant(
        "two apps are one recipient",
        f"{DELIVERY}/sqlite_store.py",
        'for name in (handler, f"{app}/{handler}"):',
        "for name in (handler,):",
        f"{OWNERS}::test_each_app_gets_each_event_and_runs_what_it_has_sent",
    ),
    Mutant(
        "the app of a handler is not known",
        f"{DELIVERY}/runner.py",
        'self._owners.get(own, "")',
        '""',
        f"{OWNERS}::test_each_app_gets_each_event_and_runs_what_it_has_sent",
    ),
    Mutant(
        "a second stage shares a file",
        f"{DELIVERY}/sqlite_store.py",
        "            if stages and stages != [self._stage]:",
        "            if stages and self._stage is None:",
        f"{OWNERS}::test_a_file_belongs_to_one_stage",
    ),
    Mutant(
        "a changed schedule makes up for what ran",
        f"{DELIVERY}/sqlite_store.py",
        "                if known is not None:\n                    connection.execute(_PUT",
        "                if known is None:\n                    connection.execute(_PUT",
        f"{OWNERS}::test_a_schedule_that_a_deploy_changes_does_not_run_again",
    ),
    Mutant(
        "a redriven head runs beside a later row of its lane",
        f"{DELIVERY}/sqlite_store.py",
        "lane IS NOT NULL AND lease IS NOT NULL AND due > ? AND due <= ?))",
        "lane IS NULL AND lease IS NOT NULL AND due > ? AND due <= ?))",
        f"{TESTS}/test_store.py::TestSqlite::"
        "test_a_redriven_head_waits_for_the_later_row_that_is_under_way",
    ),
    Mutant(
        "a look changes an older file",
        f"{SQLITE}/database.py",
        'connection.execute("ROLLBACK")\n        except StopIteration',
        'connection.execute("COMMIT")\n        except StopIteration',
        "tests/local/test_file.py::test_a_look_leaves_an_older_layout_to_older_programs",
    ),
    Mutant(
        "a run is driven by another app, stage or order",
        "src/leeward/workflow/embedded/sqlite_journal.py",
        "json_extract(owner, '$.stage') IS :stage",
        "true OR json_extract(owner, '$.stage') IS :stage",
        "tests/workflow/test_owners.py::test_a_step_is_made_at_the_targets_of_its_run",
    ),
    Mutant(
        "a start is answered with the run of another owner",
        "src/leeward/workflow/embedded/journal.py",
        "        if not self.owner.may_take(owner):",
        "        if owner is None:",
        "tests/workflow/test_owners.py::test_a_run_is_driven_by_its_owner",
    ),
    Mutant(
        "a start of a workflow that is not known here counts as a failure",
        f"{DELIVERY}/relay.py",
        "if outcome is Outcome.NOT_FOUND and isinstance(call, RunStart):",
        "if False:",
        f"{VERSIONS}::test_a_start_of_an_outbox_waits_for_a_version_that_has_the_workflow",
    ),
    Mutant(
        "a newer version ends an older one that lives",
        f"{DELIVERY}/sqlite_store.py",
        "            AND NOT {_LIVES})",
        "            AND :live)",
        f"{VERSIONS}::test_a_version_ends_when_a_newer_one_lives_without_it",
    ),
    Mutant(
        "the version that starts last takes the subscriptions of the others away",
        f"{DELIVERY}/sqlite_store.py",
        "OR number < (",
        "OR number <> (",
        f"{VERSIONS}::test_a_worker_of_the_old_version_takes_no_event_of_the_new_one_away",
    ),
    Mutant(
        "a process publishes for its own version alone",
        f"{DELIVERY}/bus.py",
        "        known += [each for",
        "        _ = [each for",
        f"{VERSIONS}::test_each_live_version_gets_what_it_takes",
    ),
    Mutant(
        "a handler gets a waiting event of a type that it does not take",
        f"{DELIVERY}/functions.py",
        "if isinstance(given, Event) and not handler.takes(given):",
        "if False:",
        f"{VERSIONS}::test_a_waiting_event_of_another_type_is_parked_and_comes_back",
    ),
    Mutant(
        "an event that nobody takes is put off for ever",
        f"{DELIVERY}/runner.py",
        "if None in types or str(flaw) in types:",
        "if True:",
        f"{VERSIONS}::test_a_waiting_event_of_another_type_is_parked_and_comes_back",
    ),
    Mutant(
        "an event that was parked stays so when its type is taken again",
        f"{DELIVERY}/sqlite_store.py",
        "        connection.execute(_TAKE_BACK, own)\n",
        "",
        f"{VERSIONS}::test_a_waiting_event_of_another_type_is_parked_and_comes_back",
    ),
    Mutant(
        "writes whose shared commit failed are made again",
        f"{SQLITE}/commits.py",
        "            if is_open or len(changes) == 1 or is_from",
        "            if len(changes) == 1 or is_from",
        "tests/local/test_writes_at_once.py::test_a_commit_that_fails_is_ambiguous_for_all",
    ),
    Mutant(
        "a write that another thread makes is refused",
        "src/leeward/leases/batches.py",
        "                if self._withdraw(mine):",
        "                if True:",
        "tests/local/test_writes_at_once.py::test_a_write_that_is_under_way_is_waited_for",
    ),
    Mutant(
        "a delivery is tried once too often",
        RULES,
        "attempt < self.max_attempts if again",
        "attempt <= self.max_attempts if again",
        "tests/leases/test_rules.py::test_each_pause_is_twice_the_one_before",
    ),
    Mutant(
        "a delivery that died with its process is tried for ever",
        RULES,
        "return attempts >= max(self.max_attempts, most) and due > 0",
        "return False",
        "tests/leases/test_rules.py::test_a_delivery_whose_last_lease_has_ended_is_spent",
    ),
    Mutant(
        "a lane overtakes itself",
        f"{DELIVERY}/sqlite_store.py",
        "            GROUP BY bus, subscriber, lane) AND",
        "            GROUP BY bus, subscriber, lane, id) AND",
        "tests/local/test_delivery.py::test_events_of_one_key_are_delivered_in_order",
    ),
    Mutant(
        "an attempt without its lease ends a delivery",
        f"{DELIVERY}/sqlite_store.py",
        '"DELETE FROM deliveries WHERE lease = ? AND id IN',
        "\"DELETE FROM deliveries WHERE ? != '' AND id IN",
        f"{TESTS}/test_store.py::TestSqlite::test_a_lease_that_has_gone_changes_nothing",
    ),
    Mutant(
        "what waits for another run is a failed attempt",
        "src/leeward/_delivery/functions.py",
        "    if failure.waits:\n",
        "    if False:\n",
        "tests/app/test_words.py::test_a_doubled_message_waits_while_the_first_runs",
    ),
    Mutant(
        "what waits is looked at again at once",
        RULES,
        "min(after, LONGEST_WAIT)",
        "0.0",
        f"{TESTS}/test_store.py::TestSqlite::test_what_waits_is_no_failed_attempt",
    ),
    Mutant(
        "what waits for a person is not counted",
        "src/leeward/_delivery/functions.py",
        "if failure.reason == WAITING else None",
        "if False else None",
        "tests/app/test_words.py::"
        "test_what_waits_for_a_person_is_counted_and_runs_once_it_is_approved",
    ),
    Mutant(
        "a row that is handed back counts as tried",
        RULES,
        "attempts, pause = max(attempt - 1, is_unheard), ",
        "attempts, pause = attempt, ",
        f"{TESTS}/test_store.py::TestSqlite::test_a_row_that_is_handed_back_has_had_no_attempt",
    ),
    Mutant(
        "what is leased ahead counts as tried",
        f"{DELIVERY}/sqlite_store.py",
        "is_counted=row.is_unheard or has_place",
        "is_counted=True",
        f"{TESTS}/test_store.py::TestSqlite::test_a_lease_that_ends_before_its_attempt_has_begun_costs_none",
    ),
    Mutant(
        "rows that were tried before take all places",
        f"{DELIVERY}/sqlite_store.py",
        "most = min(limit - len(tried), room.tried)",
        "most = limit - len(tried)",
        f"{TESTS}/test_store.py::TestSqlite::test_few_are_leased_of_those_that_were_tried_before",
    ),
    Mutant(
        "a link to another user's file is followed",
        f"{SQLITE}/file_safety.py",
        "    if stat.S_ISLNK(status.st_mode):\n",
        "    if False:\n",
        "tests/sqlite/test_file_safety.py::test_a_linked_directory_is_refused",
    ),
    Mutant(
        "a file that others may write is opened",
        f"{SQLITE}/file_safety.py",
        "    if status.st_mode & _OTHERS_WRITE:\n",
        "    if False:\n",
        "tests/sqlite/test_file_safety.py::test_a_directory_that_others_may_write_is_refused",
    ),
    Mutant(
        "a journal beside the file is not looked at",
        f"{SQLITE}/file_safety.py",
        '    for name in ("", *BESIDE):\n',
        '    for name in ("",):\n',
        "tests/sqlite/test_file_safety.py::test_a_file_that_others_may_write_is_refused",
    ),
    Mutant(
        "each process runs a schedule for a time",
        f"{DELIVERY}/sqlite_store.py",
        "AND (last < ? OR last > ?)",
        "AND (last <= ? OR last > ?)",
        "tests/local/test_apps.py::test_a_time_is_run_for_once_by_however_many_processes",
    ),
    Mutant(
        "the end of an attempt is forgotten while the store is away",
        f"{DELIVERY}/dispatcher.py",
        "if isinstance(error, DatabaseFault) and self._is_patient and not self._closed:",
        "if False:",
        "tests/worker/test_worker.py::test_while_the_store_is_away_an_end_is_kept",
    ),
    Mutant(
        "a child of a handler takes the next row of its parent",
        f"{DELIVERY}/dispatcher.py",
        "        self._attempts.abandon()\n",
        "",
        "tests/local/test_fork.py::test_a_child_of_a_handler_leaves_the_rows_to_its_parent",
    ),
    Mutant(
        "a limit holds for each handler by itself",
        f"{DELIVERY}/dispatcher.py",
        "free = max(0, min(wanted, self._most - self._used))",
        "free = max(0, min(wanted, self._most))",
        "tests/worker/test_worker.py::test_attempts_at_one_time_have_limits_by_queue_and_by_name",
    ),
    Mutant(
        "a worker that drains takes more",
        f"{DELIVERY}/dispatcher.py",
        "is_over = self._closed or self._is_paused",
        "is_over = self._closed",
        "tests/worker/test_processes.py::test_a_worker_that_is_asked_to_end_drains",
    ),
    Mutant(
        "a worker runs a version whose functions it has not",
        "src/leeward/workflow/embedded/workers.py",
        "if not (absent := self._absent(definition)):",
        "if not (absent := []):",
        "tests/worker/test_processes.py::test_versions_work_side_by_side",
    ),
    Mutant(
        "a look at dead letters reads their documents",
        f"{DELIVERY}/sqlite_store.py",
        '_DEAD % ("NULL", ">")',
        '_DEAD % ("document", ">")',
        f"{TESTS}/test_store.py::TestSqlite"
        "::test_a_look_at_dead_letters_holds_none_of_their_documents",
    ),
    Mutant(
        "a walk over dead letters ends with its first page",
        "src/leeward/stores.py",
        "        if len(page) < DEAD_AT_ONCE:\n",
        "        if page:\n",
        f"{TESTS}/test_store.py::test_a_walk_goes_over_all_pages",
    ),
    Mutant(
        "a worker that has ended keeps the threads that look for rows",
        "src/leeward/worker/__init__.py",
        "        self._runner.close()\n",
        "        if self._stores.recipients is not None:\n"
        "            self._stores.recipients.release()\n",
        "tests/worker/test_worker.py::test_a_worker_that_has_ended_leaves_no_thread",
    ),
    Mutant(
        "the lease of an attempt that goes on ends",
        f"{DELIVERY}/dispatcher.py",
        "and needs_renewal(each.renewed, now, lease)",
        "and False",
        "tests/worker/test_long_jobs.py::test_a_job_that_outlives_its_lease_runs_once",
    ),
    Mutant(
        "a worker that drains lets leases end",
        f"{DELIVERY}/dispatcher.py",
        "return threads.LOOK_AGAIN if self._attempts.held else None",
        "return None",
        "tests/worker/test_long_jobs.py::test_a_job_that_a_worker_drains_keeps_its_lease",
    ),
    Mutant(
        "the time of an attempt begins when the store has answered",
        f"{DELIVERY}/dispatcher.py",
        "        lease, until = self._policy.lease, taken.leased_until\n",
        "        lease, until, since = (\n"
        "            self._policy.lease, taken.leased_until, self._clock.monotonic()\n        )\n",
        f"{TESTS}/test_workers.py::test_the_time_of_an_attempt_begins_with_its_lease",
    ),
    Mutant(
        "a late success counts for nothing",
        f"{DELIVERY}/sqlite_store.py",
        "                    if end.is_late:\n",
        "                    if False:\n",
        f"{TESTS}/test_store.py::TestSqlite"
        "::test_a_late_success_counts_unless_somebody_has_ended_the_row",
    ),
    Mutant(
        "all attempts pass within a second",
        "src/leeward/app/dead_letters.py",
        "FIRST_RETRY * 4.0 ** min(attempt - 1, 20)",
        "0.05 * 2.0 ** min(attempt - 1, 20)",
        "tests/leases/test_rules.py::test_retries_are_measured_in_time",
    ),
    Mutant(
        "a store forgets when a failure wants its next attempt",
        f"{DELIVERY}/sqlite_store.py",
        "schedule_retry(row.attempt, now, again, after)",
        "schedule_retry(row.attempt, now, again)",
        f"{TESTS}/test_store.py::TestSqlite::test_a_failure_says_when_its_row_is_due",
    ),
    Mutant(
        "a target that cannot serve a verb is a candidate of its group",
        "src/leeward/_routing/targets.py",
        "            if key[0] == verb and own:\n",
        "            if key[0] == verb and group.targets == targets.order:\n",
        "tests/worker/test_verbs.py::test_every_verb_works_in_a_handler",
    ),
    Mutant(
        "a process is not seen in a new folder",
        f"{SQLITE}/database.py",
        "self._database.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)",
        "pass",
        "tests/worker/test_presence.py::test_a_process_is_seen_in_a_folder_that_was_not_there",
    ),
    Mutant(
        "a paused process keeps what it has no time for",
        f"{DELIVERY}/dispatcher.py",
        "            self._loop.wait(lambda: self._loop.is_asleep and not keep(), GRACE)\n",
        "            self._loop.wait(lambda: self._loop.is_asleep and not keep(), 0.0)\n",
        "tests/worker/test_presence.py::test_what_a_paused_process_has_no_time_for_is_due_at_once",
    ),
)
