"""Faults of the item codec: exactness, the type tree, the digest, the checks."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a float that is integral comes back as an int",
        "src/leeward/_items/encoding.py _encode_number",
        "'f'",
        "None",
        "tests/items/test_round_trip.py::test_nasty_item_comes_back",
    ),
    Mutant(
        "an edit of another program goes unnoticed",
        "src/leeward/_items/decoding.py decode",
        "ours.get('d') == actual and _is_utf8(spelling)",
        "_is_utf8(spelling)",
        "tests/items/test_foreign.py::test_edit_is_noticed",
    ),
    Mutant(
        "a type tree may name members that are not there",
        "src/leeward/_items/typetree.py _nodes_in",
        "type(node) is dict and node.keys() <= plain.keys()",
        "type(node) is dict",
        "tests/items/test_forged.py::test_a_node_that_does_not_suit_its_value_is_refused",
    ),
    Mutant(
        "a datetime without a zone is kept",
        "src/leeward/_items/checks.py _leaf",
        "not has_offset(value)",
        "False",
        "tests/items/test_checks.py::test_item_is_refused_with_path_and_remedy",
    ),
    Mutant(
        "the item of another key is given out",
        "src/leeward/_operations/results.py record_of",
        "found.foreign",
        "not found.foreign",
        "tests/client/test_methods.py::test_the_item_of_another_key_is_refused",
    ),
    Mutant(
        "a text may hold any number of values",
        "src/leeward/json_text.py decode",
        "len(text) > MOST_VALUES and _values_in(text) > MOST_VALUES",
        "False",
        "tests/test_json_text.py::test_values_have_an_end",
    ),
)
