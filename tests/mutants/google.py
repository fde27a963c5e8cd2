"""Faults of the adapter for Google Cloud: its errors, conditions, proofs and credentials."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a batch stores over what is there, whatever the condition",
        "adapters/google/src/leeward_google/tables/plans.py _write",
        "write | {'currentDocument': {'exists': False}} if call.if_absent else write",
        "write",
        "tests/google/test_stores_at_once.py::test_each_write_has_its_own_condition",
    ),
    Mutant(
        "a wait in the body is not read",
        "adapters/google/src/leeward_google/service.py retry_after",
        "plausible_wait(told.retry_delay)",
        "None",
        "tests/google/test_tables.py::test_a_wait_that_is_asked_for_is_told",
    ),
    Mutant(
        "a file of credentials may start a program",
        "adapters/google/src/leeward_google/identity/credential_files.py _check_source",
        "'executable' in found",
        "False",
        "tests/google/test_auth.py::test_a_file_that_leads_elsewhere",
    ),
    Mutant(
        "an answer without an id for each event is a receipt",
        "adapters/google/src/leeward_google/events/plans.py _results_in",
        "not isinstance(ids, list) or len(ids) != count",
        "not isinstance(ids, list)",
        "tests/google/test_events.py::test_an_answer_without_an_id_for_each_is_ambiguous",
    ),
)
