"""Faults of the adapter for Google Cloud: its errors, conditions, proofs and credentials."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

GOOGLE: Final = "adapters/google/src/leeward_google"
TESTS: Final = "tests/google"

MUTANTS: Final = (
    Mutant(
        "a batch stores over what is there, whatever the condition",
        f"{GOOGLE}/tables/plans.py",
        'return write | {"currentDocument": {"exists": False}} if call.if_absent else write',
        "return write",
        f"{TESTS}/test_stores_at_once.py::test_each_write_has_its_own_condition",
    ),
    Mutant(
        "UNAVAILABLE proves that nothing ran",
        f"{GOOGLE}/errors.py",
        '"UNAVAILABLE": AMBIGUOUS',
        '"UNAVAILABLE": REJECTED',
        f"{TESTS}/test_errors.py::test_a_status_word_means_what_is_documented",
    ),
    Mutant(
        "a reason of any domain counts",
        f"{GOOGLE}/errors.py",
        'if info.get("domain") == REASONS_DOMAIN else None',
        "",
        f"{TESTS}/test_errors.py::test_a_reason_tells_more_than_a_status_word",
    ),
    Mutant(
        "a reason turns an INTERNAL into a refusal",
        f"{GOOGLE}/errors.py",
        "    if word in _WORDS_OF_REFUSAL:\n        meaning = REASONS",
        "    if word:\n        meaning = REASONS",
        f"{TESTS}/test_errors.py::test_a_reason_tells_more_than_a_status_word",
    ),
    Mutant(
        "a wait in the body is not read",
        f"{GOOGLE}/service.py",
        "if text else plausible_wait(told.retry_delay)",
        "if text else None",
        f"{TESTS}/test_tables.py::test_a_wait_that_is_asked_for_is_told",
    ),
    Mutant(
        "nobody is charged for a request",
        f"{GOOGLE}/service.py",
        "    if bearer.quota_project is not None:\n",
        "    if False:\n",
        f"{TESTS}/test_tables.py::test_a_request_says_who_is_charged",
    ),
    Mutant(
        "a created document replaces the one that is there",
        f"{GOOGLE}/tables/plans.py",
        'condition: dict[str, Any] = {"exists": False}',
        "condition: dict[str, Any] = {}",
        f"{TESTS}/test_tables.py::test_a_condition_is_a_precondition",
    ),
    Mutant(
        "the echo of a lost write is a conflict",
        f"{GOOGLE}/tables/plans.py",
        "    if isinstance(call, Store) and found is not None and found.write_id == call.write_id:",
        "    if False:",
        f"{TESTS}/test_tables.py::test_the_echo_of_our_own_write_is_no_conflict",
    ),
    Mutant(
        "a look that failed makes a refused write AMBIGUOUS",
        f"{GOOGLE}/tables/plans.py",
        "    return _as_look(seen) if isinstance(seen, Result) else seen\n",
        "    return seen\n",
        f"{TESTS}/test_tables.py::test_a_look_that_fails_proves_only_that_nothing_was_written",
    ),
    Mutant(
        "an expired item that is met is not learnt",
        f"{GOOGLE}/tables/plans.py",
        "        yield Learn(_expired_in(endpoint, call.table), True)\n",
        "        pass\n",
        f"{TESTS}/test_tables.py::test_an_expired_item_that_is_met_is_looked_for_by_the_next_attempt",
    ),
    Mutant(
        "a crash of the function is a fault of the platform",
        f"{GOOGLE}/functions/plans.py",
        '    Proof(frozenset({500}), APP_ERROR, header=("x-google-status", "crash")),\n',
        "",
        f"{TESTS}/test_functions.py::test_an_unmarked_answer",
    ),
    Mutant(
        "a file of credentials may start a program",
        f"{GOOGLE}/identity/credential_files.py",
        '    if "executable" in found:\n',
        "    if False:\n",
        f"{TESTS}/test_auth.py::test_a_file_that_leads_elsewhere",
    ),
    Mutant(
        "a key goes to whoever the file names",
        f"{GOOGLE}/identity/credential_files.py",
        "if not _is_own(url, service):",
        "if False:",
        f"{TESTS}/test_auth.py::test_a_file_that_leads_elsewhere",
    ),
    Mutant(
        "an answer without an id for each event is a receipt",
        f"{GOOGLE}/events/plans.py",
        "if not isinstance(ids, list) or len(ids) != count:",
        "if not isinstance(ids, list):",
        f"{TESTS}/test_events.py::test_an_answer_without_an_id_for_each_is_ambiguous",
    ),
    Mutant(
        "events of two ordering keys go in one request",
        f"{GOOGLE}/events/plans.py",
        "if event.ordering_key != events[0].ordering_key:",
        "if False:",
        f"{TESTS}/test_events.py::test_two_ordering_keys_are_refused_before_anything_is_sent",
    ),
)
