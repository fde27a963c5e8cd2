"""Faults of idempotent functions."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a name that an authorizer makes is taken for a user of IAM, or of a token",
        "adapters/aws/src/leeward_aws/runtime/gateway.py principal_of",
        "join_key('authorizer', name)",
        "name",
        "tests/app/idempotent/test_principals.py::"
        "test_a_name_of_an_authorizers_own_is_nobody_elses",
    ),
    Mutant(
        "an exception of which nothing is known releases the key",
        "src/leeward/app/idempotency/errors.py treatment_of",
        "Treatment.RELEASE if nothing_ran else Treatment.KEEP",
        "Treatment.RELEASE",
        "tests/app/idempotent/test_proofs.py::test_a_lost_answer_keeps_the_key",
    ),
    Mutant(
        "a message that has run is a dead letter when it comes again",
        "src/leeward/app/handlers.py _answer",
        "failure.is_done and (not handler.is_call)",
        "False",
        "tests/app/test_words.py::test_on_clouds_no_letter_is_made_of_what_waits",
    ),
    Mutant(
        "an unsafe call waits for a run with its key, and is sent again",
        "src/leeward/_routing/call.py _ask_later",
        "why != RUNNING or not state.rules.same",
        "why != RUNNING",
        "tests/routing/test_keys.py::test_an_unsafe_call_waits_for_nothing",
    ),
    Mutant(
        "a run that is dead is taken over although its effect may have begun",
        "src/leeward/app/idempotency/record.py _decide_unended",
        "match record.state:\n"
        "    case KeyState.IN_PROGRESS if ...:\n"
        "        ...\n"
        "    case KeyState.IN_PROGRESS if not record.effects:\n"
        "        ...\n"
        "    case _ if ...:\n"
        "        ...\n"
        "    case KeyState.IN_PROGRESS if claim.run_unknown:\n"
        "        ...\n"
        "    case KeyState.UNKNOWN if claim.run_unknown:\n"
        "        ...\n"
        "    case _:\n"
        "        ...",
        "match record.state:\n"
        "    case KeyState.IN_PROGRESS if ...:\n"
        "        ...\n"
        "    case KeyState.IN_PROGRESS if not record.effects:\n"
        "        ...\n"
        "    case _ if ...:\n"
        "        ...\n"
        "    case KeyState.IN_PROGRESS:\n"
        "        ...\n"
        "    case KeyState.UNKNOWN if claim.run_unknown:\n"
        "        ...\n"
        "    case _:\n"
        "        ...",
        "tests/app/test_settle_exhaustive.py::test_a_failure_is_settled_as_what_it_is",
    ),
    Mutant(
        "a run begins an effect although another has taken over",
        "src/leeward/app/idempotency/running.py IdempotentRun._take",
        "isinstance(marked, Recorded)",
        "isinstance(marked, bool)",
        "tests/app/idempotent/test_overtaken.py::"
        "test_a_dead_run_is_taken_over_where_no_effect_had_begun",
    ),
    Mutant(
        "the claim replaces whatever is there",
        "src/leeward/app/idempotency/store.py _call",
        "revision is None",
        "False",
        "tests/app/idempotent/test_repeats.py::test_a_repeat_gets_the_first_result",
    ),
    Mutant(
        "the payload does not count",
        "src/leeward/app/idempotency/record.py decide",
        "is_of_other(record, claim.payload)",
        "record.payload is None",
        "tests/app/idempotent/test_repeats.py::test_a_key_belongs_to_one_payload",
    ),
    Mutant(
        "an unknown outcome is taken for a proof",
        "src/leeward/watching.py",
        "{Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR}",
        "{Outcome.OK, Outcome.APP_ERROR}",
        "tests/app/idempotent/test_proofs.py::test_calls_of_a_leeward_client_are_seen",
    ),
    Mutant(
        "a table that is set up wrongly counts as away",
        "src/leeward/app/idempotency/running.py may_run_without",
        "outcome is not None and outcome.value in _AWAY",
        "outcome is not None",
        "tests/app/idempotent/test_table_away.py::test_run_and_flag_runs_without_the_table",
    ),
    Mutant(
        "two events whose sources hold a # have one key",
        "src/leeward/text.py join_key",
        "first and '#' not in first",
        "True",
        "tests/app/idempotent/test_ids.py::test_two_events_never_have_one_key",
    ),
    Mutant(
        "a key is one of all callers, whoever sends it",
        "src/leeward/app/idempotency/settings.py IdempotencySettings.locate",
        "record_id(..., key, principal, ...)",
        "record_id(..., key, None, ...)",
        "tests/app/idempotent/test_principals.py::test_nobody_meets_the_record_of_another_on_aws",
    ),
    Mutant(
        "with a secret, the digest of a payload can be tried all the same",
        "src/leeward/app/idempotency/digests.py payload_digest",
        "keyed_digest(digest, secret) if secret else digest",
        "digest",
        "tests/app/idempotent/test_principals.py::test_with_a_secret_no_key_is_in_the_table",
    ),
    Mutant(
        "a run that is under way is settled by hand",
        "src/leeward/cli/key_records.py settle_by_hand",
        "not is_open(record, now)",
        "False",
        "tests/cli/test_keys.py::test_only_what_nobody_knows_is_settled",
    ),
    Mutant(
        "a service that shows nothing yet has done nothing",
        "src/leeward/app/idempotency/probes.py http_probe.probe",
        "clock.sleep(settled_after)\n...",
        "...",
        "tests/app/idempotent/test_probes.py::test_nothing_done_is_said_at_the_second_look",
    ),
    Mutant(
        "a payload is compared as its handler reads it, which another version reads otherwise",
        "src/leeward/app/handlers.py _answer",
        "context.wire = (handler.function, delivery)\n...",
        "...",
        "tests/app/idempotent/test_versions.py::"
        "test_a_payload_is_the_same_whatever_its_handler_reads_it_into",
    ),
    Mutant(
        "what a child does is nothing of its parent's",
        "src/leeward/app/idempotency/running.py _Forks.hold",
        "run.cross_fork(is_child=False)",
        "pass",
        "tests/app/idempotent/test_gate.py::test_the_mark_of_a_child_is_not_overwritten",
    ),
    Mutant(
        "a call in the user's transaction is no effect",
        "src/leeward/outbox.py CallOutbox._write",
        "find_watcher() if counts else UNWATCHED",
        "UNWATCHED",
        "tests/app/idempotent/test_gate.py::test_a_call_in_the_users_transaction_is_an_effect",
    ),
)
