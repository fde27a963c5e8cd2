"""Faults of the adapter for Azure: its errors, signatures, conditions, sessions and proofs."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

AZURE: Final = "adapters/azure/src/leeward_azure"
TESTS: Final = "tests/azure"

MUTANTS: Final = (
    Mutant(
        "a 403 without a mark is Cosmos DB's",
        f"{AZURE}/errors.py",
        'known = "x-ms-activity-id" in response.headers or text != ""',
        "known = True",
        f"{TESTS}/test_errors.py::test_what_bears_no_mark_of_the_service_is_ambiguous",
    ),
    Mutant(
        "a replica that lags is an absent item",
        f"{AZURE}/errors.py",
        "    (404, 1002): Classification(Outcome.REJECTED, LAGGING),\n",
        "    (404, 1002): Classification(Outcome.NOT_FOUND, ABSENT),\n",
        f"{TESTS}/test_errors.py::test_cosmos_means",
    ),
    Mutant(
        "an expired token is a missing permission",
        f"{AZURE}/errors.py",
        "if meaning is AUTH and sub == 0 and _WRONG_TIME in error_message(response):",
        "if False:",
        f"{TESTS}/test_errors.py::test_an_expired_token_is_told_by_its_text",
    ),
    Mutant(
        "a link is signed percent-encoded",
        f"{AZURE}/identity/signing.py",
        "\\n{signed.link}\\n",
        "\\n{percent_encode(signed.link, '/')}\\n",
        f"{TESTS}/test_signing.py::test_a_key_signs_as_azure_cosmos_does",
    ),
    Mutant(
        "a signature goes out as base64 has it",
        f"{AZURE}/identity/signing.py",
        "{signature.translate(_BASE64)}",
        "{signature}",
        f"{TESTS}/test_signing.py::test_a_key_signs_as_azure_cosmos_does",
    ),
    Mutant(
        "a created item replaces the one that is there",
        f"{AZURE}/tables/plans.py",
        "to_create(container, call, upsert=False)",
        "to_create(container, call, upsert=True)",
        f"{TESTS}/test_tables.py::test_a_create_replaces_nothing",
    ),
    Mutant(
        "a revision that has expired is sent",
        f"{AZURE}/tables/plans.py",
        "    revision = revision_of(if_revision)\n"
        "    if revision is None or not revision.holds_at(call.now):",
        "    revision = revision_of(if_revision)\n    if revision is None:",
        f"{TESTS}/test_tables.py::test_a_revision_that_nothing_has_now_is_a_conflict_unsent",
    ),
    Mutant(
        "another document is the one that was read",
        f"{AZURE}/tables/plans.py",
        'if response.status != 200 or native.get("id") != location.id:',
        "if response.status != 200:",
        f"{TESTS}/test_tables.py::test_a_document_that_was_not_asked_for_is_ambiguous",
    ),
    Mutant(
        "an older session token replaces a later one",
        f"{AZURE}/tables/containers.py",
        "        return max(one, other, key=int)\n",
        "        return other\n",
        f"{TESTS}/test_sessions.py::test_plain_numbers_are_tokens_too",
    ),
    Mutant(
        "a session outlives its container",
        f"{AZURE}/tables/containers.py",
        "before = self.tokens if self.owner in (None, owner) else NOTHING",
        "before = self.tokens",
        f"{TESTS}/test_sessions.py::test_a_container_made_anew_begins_anew",
    ),
    Mutant(
        "a 500 with a body is the function's exception",
        f"{AZURE}/functions/plans.py",
        "Proof(frozenset({500}), APP_ERROR, bare=True)",
        "Proof(frozenset({500}), APP_ERROR)",
        f"{TESTS}/test_functions.py::test_an_unmarked_answer",
    ),
    Mutant(
        "any 503 of Azure ran nothing",
        f"{AZURE}/functions/plans.py",
        'whole=b"Function host is not running."',
        'page=b""',
        f"{TESTS}/test_functions.py::test_an_unmarked_answer",
    ),
)
