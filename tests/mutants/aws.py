"""Faults of the adapter for AWS: its errors, signatures, conditions and functions."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "what a batch gives back was stored",
        "adapters/aws/src/leeward_aws/tables/plans.py _is_in",
        "any(({name: item.get(name) for name in key} == key for item in items))",
        "False",
        "tests/aws/test_stores_at_once.py::test_what_is_given_back_was_not_stored",
    ),
    Mutant(
        "an unknown 4xx is the caller's mistake",
        "adapters/aws/src/leeward_aws/errors.py outcome_of",
        "by_status(status, marked=marked)",
        "CALLER if status < 500 else by_status(status, marked=True)",
        "tests/aws/test_errors.py::test_what_nobody_documents_is_ambiguous",
    ),
    Mutant(
        "a repeated header is signed without its first value",
        "adapters/aws/src/leeward_aws/identity/signing.py _split_headers",
        "f'{values[name]},{folded}' if name in values else folded",
        "folded",
        "tests/aws/test_signing.py::test_signatures_equal_those_of_botocore",
    ),
    Mutant(
        "an item that has expired is in the way",
        "adapters/aws/src/leeward_aws/tables/conditions.py is_absent",
        "' OR #l.#e <= :now'",
        "''",
        "tests/aws/test_tables.py::test_if_absent_takes_the_expired_for_absent",
    ),
    Mutant(
        "a function's own error is an answer",
        "adapters/aws/src/leeward_aws/functions/plans.py invoke",
        "'x-amz-function-error' in response.headers",
        "False",
        "tests/aws/test_functions.py::test_a_function_that_raised",
    ),
    Mutant(
        "what leeward's handler tells of a failure stays in Lambda",
        "adapters/aws/src/leeward_aws/runtime/call.py make_exception",
        "told and sent is not None and opens",
        "False",
        "tests/aws/test_runtime.py::test_a_client_that_asks_for_it_gets_an_envelope",
    ),
    Mutant(
        "a message of a batch begins that no longer fits",
        "adapters/aws/src/leeward_aws/runtime/queues.py _in_time",
        "is_first or left - RESERVE >= longest",
        "True",
        "tests/aws/test_slow_batches.py::test_a_batch_that_takes_too_long_goes_on_with_the_next_run",
    ),
)
