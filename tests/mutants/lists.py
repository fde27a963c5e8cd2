"""Faults of lists: the range, the cursors, and the order of each store."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a cursor of another list is taken",
        "src/leeward/_operations/lists.py read_cursor",
        "theirs != ours",
        "False",
        "tests/client/test_lists.py::test_a_cursor_is_refused_elsewhere",
    ),
    Mutant(
        "an expired item is listed",
        "src/leeward/_operations/lists.py _page_of",
        "record_from(each, target, now)",
        "record_from(each, target, 0.0)",
        "tests/client/test_lists.py::test_expired_items_are_left_out",
    ),
    Mutant(
        "a list of DynamoDB goes on where no start key is taken",
        "adapters/aws/src/leeward_aws/tables/plans.py list_items.read",
        "at is None or (left.high is not None and left.high <= left.low)",
        "at is None",
        "tests/aws/test_tables.py::test_a_list_ends_where_no_start_is_left",
    ),
    Mutant(
        "documents without the field of their order are not missed",
        "adapters/google/src/leeward_google/tables/plans.py _has_order",
        "counts[0] == counts[1]",
        "True",
        "tests/google/test_lists.py::test_documents_without_the_field_are_found_by_their_names",
    ),
    Mutant(
        "a changed cursor leads to other items of the partition",
        "src/leeward/calls/__init__.py ListItems.following",
        "self._replace(low=position, above=True) if position >= self.low else self",
        "self._replace(low=position, above=True)",
        "tests/client/test_lists.py::test_a_changed_position_stays_within_the_bounds",
    ),
)
