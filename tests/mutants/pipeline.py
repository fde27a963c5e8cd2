"""Faults of handlers of objects, and of the pipeline of the examples."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_AWS: Final = "adapters/aws/src/leeward_aws/runtime/objects.py"
_GOOGLE: Final = "adapters/google/src/leeward_google/runtime/objects.py"
_LOCAL: Final = "tests/local/test_object_events.py"
_OBJECTS: Final = "tests/app/test_objects.py"
_EXAMPLE: Final = "examples/pipeline/pipeline.py"
_SIMULATED: Final = (
    "tests/pipeline/test_simulated.py"
    "::test_each_file_becomes_one_summary_or_a_dead_letter_with_its_reason"
)

MUTANTS: Final = (
    Mutant(
        "a key of S3 is taken as it is encoded",
        _AWS,
        'unquote_plus(found["key"])',
        'found["key"]',
        "tests/aws/test_objects_told.py::test_objects_reach_their_handler_by_every_way",
    ),
    Mutant(
        "the end of an overwritten object of Google's is taken for a new one",
        _GOOGLE,
        'if told["eventtype"] != _FINALIZED:',
        "if False:",
        "tests/google/test_objects_told.py"
        "::test_the_end_of_an_overwritten_object_is_done_without_running",
    ),
    Mutant(
        "a failed object keeps the others of its message from being handled",
        "src/leeward/app/host.py",
        "bad.append((handler, answer))",
        "return handler, answer",
        "tests/aws/test_objects_told.py::test_a_message_may_tell_of_several_objects",
    ),
    Mutant(
        "an endless loop over two handlers is let pass",
        "src/leeward/app/checks.py",
        "ways.append([*way, name])",
        "pass",
        f"{_OBJECTS}::test_a_handler_that_would_run_for_its_own_output_is_refused_at_the_start",
    ),
    Mutant(
        "a handler puts objects wherever it likes",
        "src/leeward/_operations/objects.py",
        "if may_put is not None:",
        "if False:",
        f"{_OBJECTS}::test_a_handler_puts_objects_only_where_it_has_said",
    ),
    Mutant(
        "a row is delivered whether its object is there or not",
        "src/leeward/_delivery/runner.py",
        "if handler.kind is Kind.OBJECT and objects is not None and not objects.is_due(row):",
        "if False:",
        f"{_LOCAL}::test_what_is_gone_or_replaced_before_its_turn_is_not_told",
    ),
    Mutant(
        "the bytes of an object that was replaced stay",
        "src/leeward/local/objects.py",
        "            connection.execute(_DELETE_PIECES, (before,))\n",
        "",
        "tests/local/test_objects.py::test_an_object_is_its_pieces",
    ),
    Mutant(
        "the pages of a large object that is replaced are filled with zeros",
        "src/leeward/_sqlite/database.py",
        "secure_delete = FAST",
        "secure_delete = ON",
        "tests/local/test_objects.py::test_to_replace_an_object_writes_no_more_than_to_put_it",
    ),
    Mutant(
        "an object is removed before the one that replaces it is written",
        "src/leeward/local/objects.py",
        "connection.execute(_DELETE, (before,))",
        "[connection.execute(each, (before,)) for each in (_DELETE, _DELETE_PIECES)]",
        "tests/local/test_objects.py::test_to_replace_an_object_writes_no_more_than_to_put_it",
    ),
    Mutant(
        "a range begins where its piece does",
        "src/leeward/local/objects.py",
        "offset = call.start - first * PIECE_BYTES",
        "offset = 0",
        "tests/local/test_objects.py::test_an_object_is_its_pieces",
    ),
    Mutant(
        "objects of an earlier version are lost from sight",
        "src/leeward/local/objects.py",
        "if folder.is_dir() and any(folder.iterdir()):",
        "if False:",
        "tests/local/test_objects.py::test_objects_of_an_earlier_version_are_not_lost_from_sight",
    ),
    Mutant(
        "a summary is written whatever is there",
        _EXAMPLE,
        "if_absent=there is None,",
        "if_absent=False,",
        _SIMULATED,
    ),
    Mutant(
        "a later version of a file leaves the summary of the earlier one",
        _EXAMPLE,
        'return (arrived.sequence or "") > told.get("source_sequence", "")',
        "return False",
        _SIMULATED,
    ),
    Mutant(
        "a lost answer ends a file",
        _EXAMPLE,
        'raise Problem("an answer was lost", status=503, reason="answer_lost") from error',
        "raise",
        _SIMULATED,
    ),
    Mutant(
        "a bucket is told a prefix as it is",
        "deploy/src/leeward_deploy/aws/objects.py",
        'return quote_plus(prefix, safe="/*").replace("~", "%7E")',
        "return prefix",
        "tests/packages/test_cloudformation.py"
        "::test_on_aws_a_prefix_is_told_to_a_bucket_as_keys_are_encoded",
    ),
    Mutant(
        "the order of writes is that of the clock",
        "src/leeward/_delivery/sqlite_store.py",
        "max(moment, int(row[0]) + 1)",
        "moment",
        f"{_LOCAL}::test_a_later_write_has_the_greater_sequence_whatever_the_clock_says",
    ),
)
