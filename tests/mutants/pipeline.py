"""Faults of handlers of objects, and of the pipeline of the examples."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a key of S3 is taken as it is encoded",
        "adapters/aws/src/leeward_aws/runtime/objects.py _of_record",
        "unquote_plus(found['key'])",
        "found['key']",
        "tests/aws/test_objects_told.py::test_objects_reach_their_handler_by_every_way",
    ),
    Mutant(
        "the end of an overwritten object of Google's is taken for a new one",
        "adapters/google/src/leeward_google/runtime/objects.py created_by",
        "told['eventtype'] != _FINALIZED",
        "False",
        "tests/google/test_objects_told.py::"
        "test_the_end_of_an_overwritten_object_is_done_without_running",
    ),
    Mutant(
        "an endless loop over two handlers is let pass",
        "src/leeward/app/checks.py _find_cycle",
        "ways.append([*way, name])",
        "pass",
        "tests/app/test_objects.py::"
        "test_a_handler_that_would_run_for_its_own_output_is_refused_at_the_start",
    ),
    Mutant(
        "a row is delivered whether its object is there or not",
        "src/leeward/_delivery/runner.py AppRunner._deliver",
        "handler.kind is Kind.OBJECT and objects is not None and (not objects.is_due(row))",
        "False",
        "tests/local/test_object_events.py::"
        "test_what_is_gone_or_replaced_before_its_turn_is_not_told",
    ),
)
