"""Faults of deliveries and of the file that they are kept in."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "somebody who sets the clock ends the lease of a delivery",
        "src/leeward/_delivery/dispatcher.py Dispatcher.__init__",
        "store.clock or clock",
        "clock",
        "tests/pairs/test_time.py::test_a_clock_that_is_set_ends_no_lease_of_a_delivery",
    ),
    Mutant(
        "a fork's child is silent of what its parent has told",
        "src/leeward/leases/threads.py Carriers.take",
        "(os.getpid(), [], {})",
        "(os.getpid(), [], self._faults)",
        "tests/leases/test_threads.py::test_a_child_tells_of_its_own_outage",
    ),
    Mutant(
        "each word of a server that falls is another outage",
        "src/leeward/leases/threads.py Carrier.is_first",
        "None if is_brief else getattr(error, 'reason', None)",
        "getattr(error, 'reason', None)",
        "tests/leases/test_threads.py::test_a_server_that_falls_and_starts_is_one_outage",
    ),
    Mutant(
        "two apps are one recipient",
        "src/leeward/_delivery/sqlite_store.py SqliteRecipients.claim",
        "(handler, f'{app}/{handler}')",
        "(handler,)",
        "tests/local/test_owners.py::test_each_app_gets_each_event_and_runs_what_it_has_sent",
    ),
    Mutant(
        "a claim walks past the whole lane of a head that waits",
        "src/leeward/_delivery/sqlite_store.py",
        "'subscriber, behind, lease'",
        "'subscriber, lease'",
        "tests/delivery/test_store.py::test_a_claim_walks_past_no_row_of_another_state",
    ),
    Mutant(
        "the end of a head frees nobody of its lane",
        "src/leeward/_delivery/sqlite_store.py",
        "'behind = 0 WHERE behind'",
        "'behind = 1 WHERE behind'",
        "tests/delivery/test_store.py::test_of_each_lane_the_first_row_alone_is_not_behind",
    ),
    Mutant(
        "a claim that gives rows up is followed by a pause",
        "src/leeward/_delivery/dispatcher.py Dispatcher._take",
        "taken.dead or self._attempts.has_waiting() or self._attempts.list_starts()",
        "self._attempts.has_waiting() or self._attempts.list_starts()",
        "tests/local/test_leases.py::test_rows_that_are_given_up_make_room_at_once",
    ),
    Mutant(
        "a failed sync of a commit proves that nothing is there",
        "src/leeward/_sqlite/database.py Database._is_undone",
        "(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)",
        "(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC)",
        "tests/local/test_durability.py::"
        "test_only_a_page_without_room_proves_that_nothing_is_there",
    ),
    Mutant(
        "an older file is taken for one of this layout",
        "src/leeward/_sqlite/database.py prepare",
        "version != schema.version",
        "version > schema.version",
        "tests/local/test_file.py::test_another_layout_is_refused",
    ),
    Mutant(
        "a run is driven by another app, stage or order",
        "src/leeward/workflow/embedded/sqlite_journal.py",
        "'owner OR json_extract'",
        "'owner OR true OR json_extract'",
        "tests/workflow/test_owners.py::test_a_step_is_made_at_the_targets_of_its_run",
    ),
    Mutant(
        "a start is answered with the run of another owner",
        "src/leeward/workflow/embedded/journal.py Journal.check_owner",
        "not self.owner.may_take(owner)",
        "owner is None",
        "tests/workflow/test_owners.py::test_a_run_is_driven_by_its_owner",
    ),
    Mutant(
        "a start of a workflow that is not known here counts as a failure",
        "src/leeward/_delivery/relay.py Relay._judge",
        "outcome is Outcome.NOT_FOUND and isinstance(call, RunStart)",
        "False",
        "tests/worker/test_versions.py::"
        "test_a_start_of_an_outbox_waits_for_a_version_that_has_the_workflow",
    ),
    Mutant(
        "a process publishes for its own version alone",
        "src/leeward/_delivery/bus.py Bus.publish",
        "known += [each for each in self._list_takers(timeout) if each.recipient.bus == call.bus]",
        "_ = [each for each in self._list_takers(timeout) if each.recipient.bus == call.bus]",
        "tests/worker/test_versions.py::test_each_live_version_gets_what_it_takes",
    ),
    Mutant(
        "writes whose shared commit failed are made again",
        "src/leeward/_sqlite/commits.py SharedWrites.write",
        "is_open or len(changes) == 1 or is_from_signal(error)",
        "len(changes) == 1 or is_from_signal(error)",
        "tests/local/test_writes_at_once.py::test_a_commit_that_fails_is_ambiguous_for_all",
    ),
    Mutant(
        "a delivery is tried once too often",
        "src/leeward/leases/rules.py DeliveryPolicy.schedule_retry",
        "attempt < ...",
        "attempt <= ...",
        "tests/leases/test_rules.py::test_each_pause_is_twice_the_one_before",
    ),
    Mutant(
        "what waits for another run is a failed attempt",
        "src/leeward/_delivery/functions.py deliver",
        "failure.waits",
        "False",
        "tests/app/test_words.py::test_a_doubled_message_waits_while_the_first_runs",
    ),
    Mutant(
        "a link to another user's file is followed",
        "src/leeward/_sqlite/file_safety.py _status_of",
        "stat.S_ISLNK(status.st_mode)",
        "False",
        "tests/sqlite/test_file_safety.py::test_a_linked_directory_is_refused",
    ),
    Mutant(
        "the end of an attempt is forgotten while the store is away",
        "src/leeward/_delivery/dispatcher.py Dispatcher._finish",
        "isinstance(error, DatabaseFault) and self._is_patient and (not self._closed)",
        "False",
        "tests/worker/test_worker.py::test_while_the_store_is_away_an_end_is_kept",
    ),
    Mutant(
        "a worker runs a version whose functions it has not",
        "src/leeward/workflow/embedded/workers.py RunWorkers._is_able",
        "self._absent(definition)",
        "[]",
        "tests/worker/test_processes.py::test_versions_work_side_by_side",
    ),
    Mutant(
        "a walk over dead letters ends with its first page",
        "src/leeward/stores.py walk_dead_rows",
        "len(page) < DEAD_AT_ONCE",
        "page",
        "tests/delivery/test_store.py::test_a_walk_goes_over_all_pages",
    ),
    Mutant(
        "a target that cannot serve a verb is a candidate of its group",
        "src/leeward/_routing/targets.py narrow_groups",
        "... and own",
        "... and group.targets == targets.order",
        "tests/worker/test_verbs.py::test_every_verb_works_in_a_handler",
    ),
    Mutant(
        "an attempt's lease is not renewed",
        "src/leeward/_delivery/dispatcher.py Attempts.list_starts",
        "each.renewed + lease < each.deadline and needs_renewal(each.renewed, now, lease)",
        "False",
        "tests/worker/test_long_jobs.py::test_a_job_that_outlives_its_lease_runs_once",
    ),
    Mutant(
        "a failure that says when it may be tried again is not heard",
        "src/leeward/app/dead_letters.py retry_pause",
        "request or 0.0",
        "0.0",
        "tests/local/test_leases.py::test_a_downstream_that_is_away_for_a_minute_makes_no_dead_letter",
    ),
    Mutant(
        "a paused process goes on to take rows",
        "src/leeward/_delivery/dispatcher.py Dispatcher._look",
        "self._closed or self._is_paused",
        "self._closed",
        "tests/worker/test_presence.py::test_a_command_beside_a_worker_takes_nothing",
    ),
    Mutant(
        "a schedule goes by the clock of its worker",
        "src/leeward/_delivery/schedules.py",
        "self._series.now(self._clock)",
        "self._clock.now()",
        "tests/postgres/test_apps.py::test_schedules_go_by_the_servers_clock",
    ),
)
