"""Faults of the adapter for AWS: its errors, signatures, conditions and functions."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

AWS: Final = "adapters/aws/src/leeward_aws"
TESTS: Final = "tests/aws"

MUTANTS: Final = (
    Mutant(
        "what a batch gives back was stored",
        f"{AWS}/tables/plans.py",
        "any({name: item.get(name) for name in key} == key for item in items)",
        "False",
        f"{TESTS}/test_stores_at_once.py::test_what_is_given_back_was_not_stored",
    ),
    Mutant(
        "a batch stores over what is there, whatever the condition",
        f"{AWS}/tables/plans.py",
        "    if any(each.if_absent or each.if_revision is not None for each in call.calls):\n",
        "    if False:\n",
        f"{TESTS}/test_stores_at_once.py::test_a_condition_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "an unknown 4xx is the caller's mistake",
        f"{AWS}/errors.py",
        "    if meaning is None:\n"
        "        return by_status(status, marked=marked)\n"
        "    if meaning is CALLER",
        "    if meaning is None:\n"
        "        return CALLER if status < 500 else by_status(status, marked=True)\n"
        "    if meaning is CALLER",
        f"{TESTS}/test_errors.py::test_what_nobody_documents_is_ambiguous",
    ),
    Mutant(
        "a function whose file system failed did not run",
        f"{AWS}/errors.py",
        '        AMBIGUOUS: "EFSIOException ServiceException",',
        '        REJECTED: "EFSIOException ServiceException",',
        f"{TESTS}/test_errors.py::test_a_code_means_what_the_documentation_says",
    ),
    Mutant(
        "a repeated header is signed without its first value",
        f"{AWS}/identity/signing.py",
        'f"{values[name]},{folded}" if name in values else folded',
        "folded",
        f"{TESTS}/test_signing.py::test_signatures_equal_those_of_botocore",
    ),
    Mutant(
        "the query is signed in the order given",
        f"{AWS}/identity/signing.py",
        'pairs = sorted(part.partition("=")[::2] for part in query.split("&"))',
        'pairs = [part.partition("=")[::2] for part in query.split("&")]',
        f"{TESTS}/test_signing.py::test_the_published_test_suite",
    ),
    Mutant(
        "an item that has expired is in the way",
        f"{AWS}/tables/conditions.py",
        '"attribute_not_exists(#k) OR #l.#e <= :now"',
        '"attribute_not_exists(#k)"',
        f"{TESTS}/test_tables.py::test_if_absent_takes_the_expired_for_absent",
    ),
    Mutant(
        "an expired item can be replaced by its revision",
        f"{AWS}/tables/conditions.py",
        'f"#l.#w = :w AND {_NOT_EXPIRED}"',
        '"#l.#w = :w"',
        f"{TESTS}/test_tables.py::test_if_revision_takes_the_expired_for_absent",
    ),
    Mutant(
        "the echo of a lost write is a conflict",
        f"{AWS}/tables/plans.py",
        "return Result.ok(call.write_id, request_id=refusal.request_id) if echo else refusal",
        "return refusal",
        f"{TESTS}/test_tables.py::test_the_echo_of_our_own_write_is_no_conflict",
    ),
    Mutant(
        "reads are eventual",
        f"{AWS}/tables/plans.py",
        '"Key": key_of(key), "ConsistentRead": True}',
        '"Key": key_of(key)}',
        f"{TESTS}/test_tables.py::test_reads_are_strong",
    ),
    Mutant(
        "the page of a proxy is a receipt",
        f"{AWS}/tables/plans.py",
        '    if response.body != b"{}":\n        try:',
        "    if not response.body:\n        try:",
        f"{TESTS}/test_tables.py::test_a_success_that_cannot_be_read_is_ambiguous",
    ),
    Mutant(
        "a checksum is not compared",
        f"{AWS}/service.py",
        "return told.strip() != str(crc32(response.body))",
        "return False",
        f"{TESTS}/test_tables.py::test_a_checksum_is_checked",
    ),
    Mutant(
        "a function's own error is an answer",
        f"{AWS}/functions/plans.py",
        'if "x-amz-function-error" in response.headers:',
        "if False:",
        f"{TESTS}/test_functions.py::test_a_function_that_raised",
    ),
    Mutant(
        "what leeward's handler tells of a failure stays in Lambda",
        f"{AWS}/runtime/call.py",
        "    if told and sent is not None and opens:\n",
        "    if False:\n",
        f"{TESTS}/test_runtime.py::test_a_client_that_asks_for_it_gets_an_envelope",
    ),
    Mutant(
        "a function that raises an error by that name was never loaded",
        f"{AWS}/functions/plans.py",
        "    found = _open_text(fault.message, mark)\n",
        "    if kind in _NEVER_LOADED:\n        return Result(Outcome.NOT_FOUND)\n"
        "    found = _open_text(fault.message, mark)\n",
        "tests/http/test_relays.py::test_what_a_function_passes_on_proves_nothing",
    ),
    Mutant(
        "a status other than 202 is a queued call",
        f"{AWS}/functions/plans.py",
        "read_answer(endpoint.service, answer, status=202)",
        "read_answer(endpoint.service, answer)",
        f"{TESTS}/test_functions.py::test_a_queued_call_is_not_accepted_by_another_status",
    ),
    Mutant(
        "a message begins that no longer fits into its run",
        "adapters/aws/src/leeward_aws/runtime/queues.py",
        "return is_first or left - RESERVE >= longest",
        "return True",
        "tests/aws/test_slow_batches.py"
        "::test_a_batch_that_takes_too_long_goes_on_with_the_next_run",
    ),
    Mutant(
        "a run without much time begins nothing",
        "adapters/aws/src/leeward_aws/runtime/queues.py",
        "return is_first or left - RESERVE >= longest",
        "return left - RESERVE >= longest",
        "tests/aws/test_slow_batches.py"
        "::test_a_batch_that_takes_too_long_goes_on_with_the_next_run",
    ),
)
