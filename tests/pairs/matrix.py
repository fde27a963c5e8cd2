"""Every pair of features: a test, the random triples, a reason why they cannot meet, or not tried.

`python -m tests.pairs.matrix` writes ``docs/pairs.md`` from here; `make docs` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations_with_replacement
from typing import Final, NamedTuple

from tests.house.workspace import ROOT
from tests.pairs.features import combine
from tests.pairs.worlds import Plan

AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "unsafe calls": ("an unsafe call",),
    "records of keys": ("records", "a keyed call"),
    "marked effects": ("marked effects",),
    "probes": ("a probe", "a probe that cannot tell"),
    "approvals": ("an approval",),
    "principals": ("principals",),
    "settling": ("settling by the error", "settling by the key"),
    "nested calls": ("a nested call",),
    "threads and forks": ("a thread of a handler",),
    "repeats": ("a repeat", "repeats that may run"),
    "failures of handlers": (
        "a failure before the effect",
        "a failure after the effect",
        "a declared failure",
    ),
    "lost requests and answers": ("a lost request", "a lost answer", "a late request"),
    "refusals": ("a refusal", "throttling"),
    "failover orders": ("failover", "a turned order"),
    "hedges": ("hedges",),
    "isolation": ("isolation",),
    "ordering keys": ("an ordering key",),
    "spool and outboxes": ("the spool",),
    "batches": ("a batch",),
    "residency": ("a residency",),
    "events": ("an event",),
    "queues and workers": ("a queue",),
    "dead letters": ("a redrive",),
    "schedules": (),
    "workflows": ("a workflow",),
    "cancelling": ("a run that is cancelled",),
    "deploys": (
        "a moved module",
        "a renamed function",
        "another table",
        "another principal",
        "a longer keep",
        "records from a version on",
    ),
    "apps and stages": ("another app in the stores",),
    "kills": (),
    "clocks": ("a clock that is ahead",),
    "layouts of stores": (),
    "backups": (),
    "logs and telemetry": ("a log that fails",),
    "awaited clients": ("an awaited client",),
    "gateways and relays": (),
    "Idempotency-Key": (),
    "lists": (),
    "console and dev": (),
}
"""The areas, each with the features of `tests.pairs.features` that stand for it."""

TESTS: Final[Mapping[tuple[str, str], str]] = {
    (one, other): f"tests/{test}"
    for one, other, test in (
        line.split(" | ")
        for line in """\
unsafe calls | settling | workflow/test_settling.py::test_an_unsafe_step_that_died_with_its_process_is_settled
unsafe calls | failover orders | app/test_payments.py::test_an_unsafe_payment_is_never_sent_again
unsafe calls | queues and workers | postgres/test_outbox.py::test_a_queued_call_is_relayed_by_its_effect
unsafe calls | dead letters | local/test_dead_letters.py::test_after_an_attempt_that_ended_without_a_word_nothing_is_proved
unsafe calls | workflows | workflow/test_crashes.py::test_a_death_anywhere_repeats_no_unsafe_step_and_loses_no_run
unsafe calls | cancelling | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
unsafe calls | deploys | worker/test_rollout.py::test_a_rollout_loses_nothing_and_lets_no_version_handle_what_it_does_not_take
unsafe calls | kills | workflow/test_crashes.py::test_processes_that_are_killed_and_stopped_keep_the_promises
unsafe calls | clocks | pairs/test_time.py::test_a_clock_that_is_set_ends_no_lease_of_a_delivery
unsafe calls | gateways and relays | http/test_gateways.py::test_a_gateway_proves_nothing
unsafe calls | console and dev | console/test_actions.py::test_forms_call_queue_publish_put_start_and_run
records of keys | records of keys | app/idempotent/test_handlers.py::test_nested_functions_keep_their_records_apart
records of keys | failover orders | app/test_payments.py::test_a_keyed_payment_is_charged_once_on_whichever_cloud
records of keys | hedges | pairs/test_met.py::test_a_hedge_meets_the_record_of_the_first_attempt
records of keys | queues and workers | app/test_words.py::test_a_doubled_message_waits_while_the_first_runs
records of keys | dead letters | app/test_words.py::test_a_redelivery_of_what_has_run_is_no_dead_letter
records of keys | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
records of keys | deploys | app/idempotent/test_versions.py::test_a_payload_is_the_same_whatever_its_handler_reads_it_into
records of keys | kills | app/idempotent/test_overtaken.py::test_a_program_that_ends_within_a_handler_leaves_the_lease
records of keys | clocks | app/idempotent/test_overtaken.py::test_no_clock_of_another_machine_ends_a_lease
records of keys | layouts of stores | app/idempotent/test_approvals.py::test_an_older_leeward_refuses_what_it_cannot_read
records of keys | backups | pairs/test_time.py::test_after_a_roll_back_nothing_is_denied_once_the_register_begins_anew
records of keys | gateways and relays | app/idempotent/test_settled.py::test_no_number_of_voids_burns_a_key
records of keys | Idempotency-Key | integrations/test_idempotency_key.py::test_a_repeat_gets_the_first_answer
records of keys | console and dev | console/test_actions.py::test_a_key_is_settled_by_a_click_and_an_answer
marked effects | marked effects | app/idempotent/test_gate.py::test_parts_beside_each_other_do_not_hinder_each_other
marked effects | threads and forks | app/idempotent/test_gate.py::test_the_context_knows_its_run_on_every_thread
marked effects | spool and outboxes | app/idempotent/test_gate.py::test_a_kept_event_is_an_effect
marked effects | settling | workflow/test_settling.py::test_an_effect_comes_behind_its_undo_only_if_it_was_announced
marked effects | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
marked effects | kills | app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out
probes | approvals | app/idempotent/test_approvals.py::test_a_settle_that_learns_nothing_opens_no_way_around_the_approval
probes | principals | app/idempotent/test_probes.py::test_a_stranger_learns_nothing_of_a_key_that_is_not_its_own
probes | kills | app/test_settle_exhaustive.py::test_a_probe_counts_when_no_run_can_act_any_more
probes | gateways and relays | app/idempotent/test_probes.py::test_other_answers_tell_nothing
approvals | approvals | app/idempotent/test_approvals.py::test_an_approval_is_for_one_payload_and_stays_for_it
approvals | settling | app/idempotent/test_approvals.py::test_a_caller_learns_that_its_call_waits_and_that_settling_it_drops_the_question
approvals | queues and workers | app/test_words.py::test_what_waits_for_a_person_is_counted_and_runs_once_it_is_approved
approvals | dead letters | app/test_words.py::test_on_clouds_no_letter_is_made_of_what_waits
approvals | kills | app/idempotent/test_approvals.py::test_a_dead_run_that_needed_no_approval_waits_if_the_next_call_needs_one
approvals | layouts of stores | app/idempotent/test_approvals.py::test_an_older_leeward_refuses_what_it_cannot_read
approvals | console and dev | console/test_actions.py::test_who_decides_sees_the_whole_question
principals | settling | app/idempotent/test_settled.py::test_a_principal_settles_its_own_keys_only
principals | gateways and relays | app/idempotent/test_principals.py::test_nobody_meets_the_record_of_another_on_aws
principals | Idempotency-Key | integrations/test_idempotency_key.py::test_one_caller_learns_nothing_of_another
settling | settling | app/idempotent/test_settled.py::test_two_settle_a_key_at_once
settling | nested calls | app/test_words.py::test_voids_of_a_call_let_no_void_of_an_inner_key_run
settling | failures of handlers | app/idempotent/test_settling.py::test_settling_replaces_no_answer_that_has_come
settling | failover orders | client/test_settling_targets.py::test_a_call_whose_targets_nobody_names_may_have_run_elsewhere
settling | ordering keys | spool/test_spool.py::test_an_event_that_the_spool_may_have_is_not_settled_as_not_run
settling | spool and outboxes | spool/test_spool.py::test_an_event_that_the_spool_may_have_is_not_settled_as_not_run
settling | batches | client/test_unknowns.py::test_of_a_batch_each_event_is_left_that_may_have_gone_out
settling | events | client/test_settling.py::test_events_are_published_again_where_they_were
settling | queues and workers | client/test_settling.py::test_a_queued_call_is_queued_again_where_that_does_no_harm
settling | dead letters | pairs/test_met.py::test_a_letter_that_fails_again_is_one_letter
settling | workflows | workflow/test_settling.py::test_a_payment_that_fails_behind_its_charge_is_taken_back
settling | kills | workflow/test_settling.py::test_a_question_survives_the_process_that_has_asked_it
settling | clocks | app/idempotent/test_settled.py::test_no_wrong_clock_makes_a_verdict_wrong
settling | layouts of stores | app/idempotent/test_settled.py::test_a_record_of_an_earlier_leeward_does_not_say_what_was_before_it
settling | backups | backup/test_keys.py::test_a_call_since_the_time_of_a_backup_of_its_key_is_not_denied
settling | gateways and relays | http/test_questions.py::test_an_answer_counts_with_the_mark_of_its_question
settling | Idempotency-Key | integrations/test_idempotency_key.py::test_a_stranger_settles_nothing
settling | console and dev | console/test_actions.py::test_a_key_is_settled_by_a_click_and_an_answer
nested calls | failures of handlers | app/test_words.py::test_no_word_of_a_nested_call_travels_up
nested calls | queues and workers | app/test_words.py::test_neither_a_letter_nor_a_step_believes_it
nested calls | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
nested calls | workflows | workflow/test_versions.py::test_a_step_that_waits_for_a_run_holds_no_place
nested calls | gateways and relays | http/test_relays.py::test_a_lambda_that_raises_what_it_was_told_has_run
threads and forks | threads and forks | app/idempotent/test_gate.py::test_the_mark_of_a_child_is_not_overwritten
threads and forks | queues and workers | local/test_fork.py::test_a_child_of_a_handler_leaves_the_rows_to_its_parent
threads and forks | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
repeats | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
repeats | kills | app/test_settle_exhaustive.py::test_a_void_keeps_late_packets_out
repeats | backups | postgres/test_standby.py::test_keys_and_voids_outlive_a_promotion_and_what_it_has_lost_is_unknown
repeats | Idempotency-Key | integrations/test_idempotency_key.py::test_a_repeat_waits_while_the_first_runs
repeats | console and dev | dev/test_feed.py::test_a_refused_repeat_says_what_to_do
failures of handlers | failures of handlers | workflow/test_settling.py::test_a_failure_that_comes_behind_an_unknown_one_is_settled
failures of handlers | schedules | local/test_apps.py::test_a_schedule_that_fails_is_a_dead_letter_of_its_own
failures of handlers | kills | app/test_settle_exhaustive.py::test_a_run_that_goes_on_from_another_is_not_mistaken_for_the_first
failures of handlers | gateways and relays | http/test_gateways.py::test_a_login_page_is_no_proof_that_the_function_ran
failures of handlers | Idempotency-Key | integrations/test_idempotency_key.py::test_a_whole_answer_is_the_answer
failures of handlers | console and dev | console/test_actions.py::test_a_handler_that_fails_by_hand_shows_how
lost requests and answers | refusals | routing/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight
lost requests and answers | isolation | routing/test_isolated.py::test_a_question_goes_to_a_target_that_is_not_isolated
lost requests and answers | batches | google/test_events.py::test_an_answer_without_an_id_for_each_is_ambiguous
lost requests and answers | kills | app/test_settle_exhaustive.py::test_no_failure_of_the_table_makes_a_verdict_wrong
lost requests and answers | backups | backup/test_crashes.py::test_an_outage_in_the_middle_is_told_and_gone_on_with
lost requests and answers | gateways and relays | http/test_relays.py::test_what_a_function_passes_on_proves_nothing
lost requests and answers | Idempotency-Key | integrations/test_idempotency_key.py::test_half_an_answer_is_not_kept
lost requests and answers | lists | client/test_lists.py::test_a_lost_answer_is_asked_for_again
lost requests and answers | console and dev | console/test_actions.py::test_an_unknown_call_is_settled_by_a_click
refusals | refusals | routing/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight
refusals | hedges | routing/test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight
refusals | batches | azure/test_events.py::test_a_batch_is_refused_whole
refusals | backups | backup/test_crashes.py::test_a_throttled_scan_waits
refusals | gateways and relays | clouds/test_service_marks.py::test_a_refusal_without_the_services_mark_proves_nothing
refusals | Idempotency-Key | integrations/test_idempotency_key.py::test_a_refusal_of_the_caller_is_not_kept
refusals | lists | client/test_lists.py::test_a_home_that_is_down_has_no_empty_page
failover orders | ordering keys | routing/test_order.py::test_a_key_leaves_a_target_that_fails_and_no_other
failover orders | batches | routing/test_batches.py::test_failed_entries_move_and_say_where_they_went
failover orders | residency | client/test_operating.py::test_no_failure_takes_a_call_out_of_its_residency
failover orders | workflows | workflow/test_client.py::test_steps_go_through_the_order_of_targets
failover orders | gateways and relays | http/test_relays.py::test_of_a_function_that_is_declared_to_mark_its_answers_the_platforms_own_are_proof
failover orders | lists | client/test_lists.py::test_a_cursor_stays_at_its_home
failover orders | console and dev | console/test_actions.py::test_a_decision_is_explained
hedges | hedges | routing/test_hedges.py::test_hedges_have_a_budget
hedges | batches | routing/test_in_flight.py::test_no_event_is_told_as_refused_while_it_is_in_flight
isolation | backups | pairs/test_met.py::test_nothing_of_an_isolated_home_is_listed_or_backed_up
isolation | lists | pairs/test_met.py::test_nothing_of_an_isolated_home_is_listed_or_backed_up
isolation | console and dev | console/test_actions.py::test_a_target_is_isolated_and_restored
ordering keys | ordering keys | local/test_delivery.py::test_keys_do_not_wait_for_each_other
ordering keys | spool and outboxes | spool/test_spool.py::test_events_of_a_key_wait_behind_each_other
ordering keys | batches | client/test_methods.py::test_nothing_overtakes_a_failed_event_of_its_key
ordering keys | dead letters | local/test_delivery.py::test_a_dead_head_lets_the_next_go
ordering keys | kills | spool/test_spool.py::test_nothing_is_lost_over_an_outage_with_kills
spool and outboxes | spool and outboxes | spool/test_owners.py::test_who_may_take_what_is_kept
spool and outboxes | batches | spool/test_spool.py::test_a_batch_is_kept_event_by_event
spool and outboxes | residency | config/test_residency.py::test_what_is_kept_elsewhere_is_refused_with_field_and_remedy
spool and outboxes | queues and workers | postgres/test_outbox.py::test_a_call_is_queued_with_the_commit
spool and outboxes | workflows | postgres/test_outbox.py::test_a_run_is_started_under_its_id
spool and outboxes | deploys | worker/test_versions.py::test_a_start_of_an_outbox_waits_for_a_version_that_has_the_workflow
spool and outboxes | apps and stages | spool/test_owners.py::test_what_another_owner_keeps_is_left_to_it
spool and outboxes | kills | spool/test_spool.py::test_nothing_is_lost_over_an_outage_with_kills
spool and outboxes | layouts of stores | spool/test_owners.py::test_a_row_of_a_version_without_owners_is_anybodys
batches | batches | client/test_methods.py::test_a_batch_is_split_by_the_smallest_limits
batches | queues and workers | aws/test_settling.py::test_each_message_of_a_batch_is_settled_by_itself
residency | residency | config/test_residency.py::test_all_mistakes_come_at_once
residency | workflows | config/test_residency.py::test_what_is_kept_elsewhere_is_refused_with_field_and_remedy
residency | backups | config/test_residency.py::test_what_is_kept_elsewhere_is_refused_with_field_and_remedy
events | events | local/test_delivery.py::test_subscriptions_do_not_wait_for_each_other
events | queues and workers | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
events | dead letters | local/test_delivery.py::test_a_delivery_that_always_fails_is_given_up
events | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
events | workflows | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
events | cancelling | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
events | deploys | worker/test_versions.py::test_a_worker_of_the_old_version_takes_no_event_of_the_new_one_away
events | apps and stages | postgres/test_apps.py::test_each_of_two_apps_gets_each_event_under_one_name_of_a_handler
events | kills | worker/test_rollout.py::test_a_rollout_loses_nothing_and_lets_no_version_handle_what_it_does_not_take
events | layouts of stores | postgres/test_commands.py::test_version_1_is_upgraded_beside_a_reader
events | backups | pairs/test_time.py::test_a_copy_in_the_place_of_the_file_is_what_all_see_at_once
events | console and dev | pairs/test_met.py::test_dev_and_a_worker_share_the_rows_of_one_file
queues and workers | queues and workers | worker/test_worker.py::test_many_queues_share_a_few_threads
queues and workers | dead letters | postgres/test_commands.py::test_dead_letters_are_listed_redriven_and_deleted
queues and workers | schedules | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
queues and workers | workflows | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
queues and workers | cancelling | pairs/test_met.py::test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered
queues and workers | apps and stages | postgres/test_apps.py::test_a_queue_that_a_live_app_serves_is_refused_to_another
queues and workers | kills | worker/test_processes.py::test_after_a_kill_another_worker_makes_the_attempt_again
queues and workers | clocks | pairs/test_time.py::test_a_clock_that_is_set_ends_no_lease_of_a_delivery
queues and workers | layouts of stores | postgres/test_apps.py::test_a_role_that_published_before_the_upgrade_publishes_after_it
queues and workers | backups | delivery/rows.py::test_a_late_success_of_a_row_that_was_rolled_back_ends_no_other
queues and workers | console and dev | console/test_actions.py::test_forms_call_queue_publish_put_start_and_run
dead letters | dead letters | pairs/test_met.py::test_a_letter_that_fails_again_is_one_letter
dead letters | schedules | local/test_apps.py::test_a_schedule_that_fails_is_a_dead_letter_of_its_own
dead letters | deploys | worker/test_versions.py::test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads
dead letters | kills | postgres/test_messages.py::test_every_message_ends_once_whoever_is_killed
dead letters | backups | postgres/test_deliveries.py::test_what_a_standby_may_have_lost_is_made_letters_by_the_pages_statement
dead letters | console and dev | console/test_actions.py::test_a_letter_that_did_not_run_is_redriven_by_one_click
schedules | workflows | pairs/test_met.py::test_a_moment_that_comes_twice_has_one_effect_and_one_run
schedules | deploys | postgres/test_apps.py::test_a_changed_schedule_begins_now
schedules | apps and stages | local/test_owners.py::test_a_schedule_of_the_second_app_is_shown_as_its_own
schedules | kills | worker/test_rollout.py::test_a_rollout_loses_nothing_and_lets_no_version_handle_what_it_does_not_take
schedules | clocks | local/test_apps.py::test_a_clock_that_was_wrong_stops_no_schedule
schedules | layouts of stores | local/test_owners.py::test_a_series_of_a_version_before_goes_on
schedules | console and dev | console/test_actions.py::test_a_schedule_is_fired_now
workflows | workflows | workflow/test_versions.py::test_what_nobody_here_can_run_delays_nothing
workflows | cancelling | workflow/test_engine.py::test_a_cancelled_run_compensates
workflows | deploys | workflow/test_versions.py::test_a_run_is_left_to_a_version_that_can_call_its_functions
workflows | apps and stages | postgres/test_apps.py::test_runs_of_another_app_are_left_to_it
workflows | kills | workflow/test_crashes.py::test_a_death_anywhere_repeats_no_unsafe_step_and_loses_no_run
workflows | clocks | workflow/test_leases.py::test_a_clock_set_by_an_hour_takes_nothing_and_strands_nothing
workflows | layouts of stores | postgres/test_faults.py::test_a_schema_of_another_version_is_refused_or_goes_on
workflows | backups | workflow/journals.py::test_leases_of_two_times_have_two_fences
workflows | awaited clients | workflow/test_client.py::test_an_asynchronous_client_runs_them_too
workflows | console and dev | console/test_actions.py::test_runs_that_nobody_works_on_are_resumed
cancelling | cancelling | postgres/test_runs.py::test_runs_are_cancelled_aborted_and_resumed
cancelling | clocks | workflow/test_driving.py::test_a_cancel_holds_at_once_though_its_clock_is_ahead
cancelling | console and dev | console/test_actions.py::test_a_run_is_seen_as_it_goes_and_cancelled
deploys | deploys | worker/test_versions.py::test_each_live_version_gets_what_it_takes
deploys | kills | worker/test_rollout.py::test_a_rollout_loses_nothing_and_lets_no_version_handle_what_it_does_not_take
deploys | layouts of stores | postgres/test_faults.py::test_a_schema_of_another_version_is_refused_or_goes_on
deploys | gateways and relays | http/test_relays.py::test_an_answer_of_its_own_without_the_mark_takes_the_word_back
deploys | lists | client/test_lists.py::test_a_cursor_outlives_the_process
deploys | console and dev | dev/test_dev.py::test_an_app_runs_and_is_loaded_again
apps and stages | apps and stages | postgres/test_apps.py::test_a_worker_of_another_stage_is_refused_at_its_start
apps and stages | layouts of stores | postgres/test_apps.py::test_a_schema_belongs_to_one_stage
kills | kills | workflow/test_crashes.py::test_processes_that_are_killed_and_stopped_keep_the_promises
kills | clocks | workflow/test_leases.py::test_a_clock_set_by_an_hour_takes_nothing_and_strands_nothing
kills | backups | backup/test_crashes.py::test_a_backup_that_was_killed_is_gone_on_with
kills | lists | client/test_lists.py::test_a_cursor_outlives_the_process
kills | console and dev | dev/test_dev.py::test_ctrl_c_ends_a_call_that_hangs
clocks | clocks | app/idempotent/test_overtaken.py::test_no_wrong_clock_ends_a_key
clocks | Idempotency-Key | integrations/test_idempotency_key.py::test_a_run_that_was_taken_over_is_not_denied
layouts of stores | layouts of stores | postgres/test_commands.py::test_a_later_schema_gets_no_older_functions
backups | backups | backup/test_trust.py::test_the_backup_that_was_begun_last_is_the_latest
logs and telemetry | logs and telemetry | client/test_watching.py::test_what_a_watcher_raises_is_reported_once
logs and telemetry | awaited clients | client/test_telemetry.py::test_calls_of_coroutines_are_spans_too
awaited clients | awaited clients | client/test_async.py::test_calls_wait_beside_each_other
awaited clients | lists | client/test_async.py::test_each_method_has_the_same_parameters
gateways and relays | gateways and relays | http/test_gateways.py::test_a_gateway_before_a_platform_proves_nothing_either
Idempotency-Key | Idempotency-Key | integrations/test_idempotency_key.py::test_a_hundred_at_once_run_one_effect
lists | lists | client/test_lists.py::test_the_items_of_another_list_are_refused
console and dev | console and dev | console/test_actions.py::test_who_decides_decides_what_was_seen
""".strip().splitlines()
    )
}
"""Pairs, in the order of `AREAS`, and the test in which they meet."""

APART: Final[Mapping[tuple[str, str], str]] = {
    (one, other): reason
    for reason, one, others in (
        line.split(" | ")
        for line in """\
an event with a key has one target and is never hedged | ordering keys | hedges
only harmless calls are hedged | unsafe calls | hedges
an approval belongs to a key | unsafe calls | approvals
a probe is asked about a key | unsafe calls | probes
principals keep keys apart | unsafe calls | principals
without a key the middleware passes a request on | unsafe calls | Idempotency-Key
the middleware has no approvals | approvals | Idempotency-Key
the middleware takes effects anywhere | marked effects | Idempotency-Key
a moment of a schedule is one row | schedules | batches
a moment is run by its own target | schedules | hedges
nobody calls a schedule | schedules | principals
moments have no key | schedules | ordering keys
a moment crosses no gateway | schedules | gateways and relays
a moment is not a web request | schedules | Idempotency-Key
a caller that leaves ends no run | cancelling | Idempotency-Key
a list only reads, and keeps nothing | lists | unsafe calls, records of keys, marked effects, probes, approvals, principals, settling, nested calls, events, spool and outboxes, ordering keys, queues and workers, dead letters, schedules, workflows, hedges, batches, gateways and relays, Idempotency-Key, threads and forks, repeats, failures of handlers, cancelling, residency, clocks
the middleware guards a web app that is not leeward's | Idempotency-Key | failover orders, hedges, isolation, ordering keys, spool and outboxes, batches, events, queues and workers, dead letters, workflows, gateways and relays, nested calls, residency
a record, and what is marked in it, belongs to a key | unsafe calls | records of keys, marked effects
a repeat is known by its key | unsafe calls | repeats
a call of a function is not an event | unsafe calls | ordering keys, spool and outboxes, batches, events
a schedule calls its handler, and no function | schedules | unsafe calls, failover orders, isolation, settling, residency, spool and outboxes, probes, awaited clients, cancelling
a backup has the items of tables; rows, runs and calls are not in it | backups | unsafe calls, schedules, cancelling, spool and outboxes, ordering keys, batches, nested calls, threads and forks, failures of handlers, gateways and relays
a backup is read and restored at the home of its table | backups | failover orders, hedges
to a backup a record is an item like any other | backups | marked effects, probes, principals, approvals, Idempotency-Key
only a Client makes backups | backups | awaited clients
a backup reads a table by pages of its own | backups | lists
a gateway stands before functions that are called over HTTP | gateways and relays | events, queues and workers, dead letters, batches, ordering keys, spool and outboxes, cancelling, marked effects, threads and forks, layouts of stores, apps and stages, console and dev
a function has one of it, or none | probes | probes
a call has one caller | principals | principals
a target is isolated, or it is not | isolation | isolation
a call is unsafe, or it is not | unsafe calls | unsafe calls
a queue has no ordering keys | ordering keys | queues and workers
a run has no ordering key | ordering keys | workflows, cancelling
only events are published in batches | batches | workflows, cancelling
only events are spooled, and an outbox begins what it has kept | spool and outboxes | cancelling
a run that fails stays a run, and makes no letter | dead letters | workflows, cancelling
it keeps nothing in a store | layouts of stores | unsafe calls, hedges, isolation, batches, probes, refusals, awaited clients, logs and telemetry, lost requests and answers, threads and forks
dev and the console work at one target that keeps rows | console and dev | hedges, residency
a caller that is killed hears nothing, and keeps nothing | kills | hedges, failover orders, batches, refusals, isolation, residency, awaited clients, logs and telemetry
isolation stops what is sent, whoever would answer | isolation | gateways and relays
""".strip().splitlines()
    )
    for other in others.split(", ")
}
"""Pairs that cannot meet, and why."""


class Cell(NamedTuple):
    """What is known of a pair: one of the four.

    Attributes:
        sign: ``test``, ``triples``, ``apart`` or ``not tried``.
        text: the test, or the reason.
    """

    sign: str
    text: str = ""


def cell_of(one: str, other: str) -> Cell:
    """Return what is known of a pair of areas, in any order."""
    for pair in ((one, other), (other, one)):
        if pair in TESTS:
            return Cell("test", TESTS[pair])
    for pair in ((one, other), (other, one)):
        if pair in APART:
            return Cell("apart", APART[pair])
    return Cell("triples") if _meet_in_triples(one, other) else Cell("not tried")


@cache
def _meet_in_triples(one: str, other: str) -> bool:
    return any(
        isinstance(combine((first, second)), Plan)
        for first in AREAS[one]
        for second in AREAS[other]
        if first != second
    )


SIGNS: Final = {"test": "T", "triples": "r", "apart": "-", "not tried": ""}

HEAD: Final = """# Pairs of features

Two features can each hold alone and break together. This page says of every pair what was tried.

| sign | meaning |
|---|---|
| T | a test of its own, [below](#their-tests) |
| r | it is met by chance: `python -m tests.pairs.triples --triples 100000` makes one call in a world with three features, with two versions of its app, and counts its effect outside; on `local`, and with `--place postgres` in PostgreSQL |
| - | the two cannot meet; [why](#why-some-cannot-meet) |
| | not tried |

Backups are here also every other copy of an earlier time: a recovery to a point in time, a standby that was behind, a
file in the place of another. [A table that was rolled back](backup.md#a-table-that-was-rolled-back) and
[a promotion](postgres.md#after-a-promotion-or-a-recovery) say what is lost, and who notices it.

"""


def page() -> str:
    """Return ``docs/pairs.md``."""
    names = [*AREAS]
    cells = {pair: cell_of(*pair) for pair in combinations_with_replacement(names, 2)}
    counts = {sign: sum(each.sign == sign for each in cells.values()) for sign in SIGNS}
    head = " | ".join(str(number) for number in range(1, len(names) + 1))
    summary = (
        f"{len(names)} features make {len(cells)} pairs. {counts['test']} have a test of their "
        f"own, {counts['triples']} are met by chance, {counts['apart']} cannot meet, and "
        f"{counts['not tried']} were not tried."
    )
    lines = [
        summary,
        "",
        f"| | | {head} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for row, one in enumerate(names):
        signs = [SIGNS[cells[other, one].sign] for other in names[: row + 1]]
        signs += [""] * (len(names) - len(signs))
        lines.append(f"| {row + 1} | {one} | {' | '.join(signs)} |".replace("  ", " "))
    lines += ["", "## Their tests", "", "| feature | with | test |", "|---|---|---|"]
    lines += [
        f"| {one} | {other} | `{each.text}` |"
        for (one, other), each in cells.items()
        if each.sign == "test"
    ]
    reasons: dict[str, list[str]] = {}
    for (one, other), each in cells.items():
        if each.sign == "apart":
            reasons.setdefault(each.text, []).append(f"{one} and {other}")
    lines += ["", "## Why some cannot meet", "", "| reason | pairs |", "|---|---|"]
    lines += [f"| {reason} | {'; '.join(pairs)} |" for reason, pairs in reasons.items()]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/pairs.md").write_text(page(), encoding="utf-8")
