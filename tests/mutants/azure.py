"""Faults of the adapter for Azure: its errors, signatures, conditions, sessions and proofs."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a 403 without a mark is Cosmos DB's",
        "adapters/azure/src/leeward_azure/errors.py judge_cosmos",
        "'x-ms-activity-id' in response.headers or text != ''",
        "True",
        "tests/azure/test_errors.py::test_what_bears_no_mark_of_the_service_is_ambiguous",
    ),
    Mutant(
        "a link is signed percent-encoded",
        "adapters/azure/src/leeward_azure/identity/signing.py cosmos_headers",
        "signed.link",
        "percent_encode(signed.link, '/')",
        "tests/azure/test_signing.py::test_a_key_signs_as_azure_cosmos_does",
    ),
    Mutant(
        "a created item replaces the one that is there",
        "adapters/azure/src/leeward_azure/tables/plans.py _create",
        "False",
        "True",
        "tests/azure/test_tables.py::test_a_create_replaces_nothing",
    ),
    Mutant(
        "an older session token replaces a later one",
        "adapters/azure/src/leeward_azure/tables/containers.py _later_token",
        "max(one, other, key=int)",
        "other",
        "tests/azure/test_sessions.py::test_plain_numbers_are_tokens_too",
    ),
    Mutant(
        "a 500 with a body is the function's exception",
        "adapters/azure/src/leeward_azure/functions/plans.py",
        "Proof(..., APP_ERROR, bare=True)",
        "Proof(..., APP_ERROR)",
        "tests/azure/test_functions.py::test_an_unmarked_answer",
    ),
)
