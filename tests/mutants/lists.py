"""Faults of lists: the range, the cursors, and the order of each store."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

CLIENT: Final = "tests/client/test_lists.py"
CORE: Final = "src/leeward/_operations/lists.py"
AWS: Final = "adapters/aws/src/leeward_aws/tables/plans.py"
AZURE: Final = "adapters/azure/src/leeward_azure/tables"
GOOGLE: Final = "adapters/google/src/leeward_google/tables"

MUTANTS: Final = (
    Mutant(
        "a cursor of another list is taken",
        CORE,
        "        if theirs != ours:\n",
        "        if False:\n",
        f"{CLIENT}::test_a_cursor_is_refused_elsewhere",
    ),
    Mutant(
        "an expired item is listed",
        CORE,
        "record_from(each, target, now)",
        "record_from(each, target, 0.0)",
        f"{CLIENT}::test_expired_items_are_left_out",
    ),
    Mutant(
        "what begins so is listed although it comes before",
        CORE,
        "    if after and after >= low:\n",
        "    if after:\n",
        f"{CLIENT}::test_the_range_is_what_the_bounds_say",
    ),
    Mutant(
        "a surrogate stands behind the texts that begin with U+D7FF",
        "src/leeward/text.py",
        '("\\ue000" if kept[-1] == "\\ud7ff" else chr(ord(kept[-1]) + 1))',
        "chr(ord(kept[-1]) + 1)",
        f"{CLIENT}::test_the_text_behind_a_prefix_is_the_least",
    ),
    Mutant(
        "the embedded store lists the lower bound itself",
        "src/leeward/local/tables.py",
        "{'>' if rest.above else '>='} ?",
        ">= ?",
        "tests/contract/test_lists.py::test_lists_of_the_embedded_store_are_as_the_model_says",
    ),
    Mutant(
        "PostgreSQL lists what another partition has",
        "adapters/postgres/src/leeward_postgres/tables.py",
        'high = [f"{partition}\\x01"]',
        'high = [f"{partition}~"]',
        "tests/postgres/test_items.py::test_lists_are_as_the_model_says",
    ),
    Mutant(
        "a list of DynamoDB is read from any replica",
        AWS,
        '        "ConsistentRead": True,\n        "Limit": call.limit,\n',
        '        "ConsistentRead": False,\n        "Limit": call.limit,\n',
        "tests/aws/test_tables.py::test_a_list_is_one_condition_and_a_start_that_satisfies_it",
    ),
    Mutant(
        "a list of DynamoDB goes on where no start key is taken",
        AWS,
        "    is_over = at is None or (left.high is not None and left.high <= left.low)\n",
        "    is_over = at is None\n",
        "tests/aws/test_tables.py::test_a_list_ends_where_no_start_is_left",
    ),
    Mutant(
        "an order that is not leeward's is passed on",
        f"{AZURE}/plans.py",
        "    if not is_in_order(values, position.last, descending=call.descending):\n",
        "    if False:\n",
        "tests/azure/test_lists.py::test_another_order_is_refused_by_name",
    ),
    Mutant(
        "a bound is sent whole, whatever is in it",
        f"{AZURE}/lists.py",
        "(sort, _lower_bound(call.low))",
        "(sort, call.low)",
        "tests/azure/test_lists.py::test_bounds_leave_nothing_out_in_either_order",
    ),
    Mutant(
        "documents without the field of their order are not missed",
        f"{GOOGLE}/plans.py",
        "    return counts[0] == counts[1]\n",
        "    return True\n",
        "tests/google/test_lists.py::test_documents_without_the_field_are_found_by_their_names",
    ),
    Mutant(
        "documents are counted at two moments",
        f"{GOOGLE}/lists.py",
        'return body if read_time is None else body | {"readTime": read_time}',
        "return body",
        "tests/google/test_lists.py::test_the_first_page_counts_twice_as_of_one_moment",
    ),
    Mutant(
        "a value that an index cuts off keeps an order",
        f"{GOOGLE}/lists.py",
        "return {} if len(value) > MOST_INDEXED else {ORDER: _bytes(value)}",
        "return {ORDER: _bytes(value)}",
        "tests/google/test_lists.py::test_a_key_that_an_index_would_cut_has_none",
    ),
    Mutant(
        "a changed cursor leads to other items of the partition",
        "src/leeward/calls/__init__.py",
        "above=True) if position >= self.low else self",
        "above=True)",
        f"{CLIENT}::test_a_changed_position_stays_within_the_bounds",
    ),
)
