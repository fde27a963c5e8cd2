"""Faults of the item codec: exactness, the type tree, the digest, the checks."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

ITEMS: Final = "src/leeward/_items"
TESTS: Final = "tests/items"

MUTANTS: Final = (
    Mutant(
        "a float that is integral comes back as an int",
        f"{ITEMS}/encoding.py",
        'return type(held), held, "f", f"n{profile.numbers.spell(held)};"',
        'return type(held), held, None, f"n{profile.numbers.spell(held)};"',
        f"{TESTS}/test_round_trip.py::test_nasty_item_comes_back",
    ),
    Mutant(
        "the scale of a Decimal is lost",
        f"{ITEMS}/encoding.py",
        'reads_alike = int(exponent) < 0 and digits[-1] != "0"',
        "reads_alike = True",
        f"{TESTS}/test_round_trip.py::test_nasty_item_comes_back",
    ),
    Mutant(
        "minus zero loses its sign",
        f"{ITEMS}/encoding.py",
        'if value or repr(value) != "-0.0" else None',
        "",
        f"{TESTS}/test_round_trip.py::test_nasty_item_comes_back",
    ),
    Mutant(
        "an edit of another program goes unnoticed",
        f"{ITEMS}/decoding.py",
        'known = ours.get("d") == actual and _is_utf8(spelling)',
        "known = _is_utf8(spelling)",
        f"{TESTS}/test_foreign.py::test_edit_is_noticed",
    ),
    Mutant(
        "the type tree is no part of the digest",
        f"{ITEMS}/encoding.py",
        'tree = CONSTANTS[None] if types is None else f"s{len(types)}:{types}"',
        "tree = CONSTANTS[None]",
        f"{TESTS}/test_foreign.py::test_edit_is_noticed",
    ),
    Mutant(
        "a string's length is no part of its spelling",
        f"{ITEMS}/encoding.py",
        '            spelling = f"s{len(inner)}:{inner}"\n        elif kind is int',
        '            spelling = f"s:{inner}"\n        elif kind is int',
        f"{TESTS}/test_format.py::test_digest_is_spelled_as_documented",
    ),
    Mutant(
        "a type tree may name members that are not there",
        f"{ITEMS}/typetree.py",
        "if type(node) is dict and node.keys() <= plain.keys():",
        "if type(node) is dict:",
        f"{TESTS}/test_forged.py::test_a_node_that_does_not_suit_its_value_is_refused",
    ),
    Mutant(
        "a datetime without a zone is kept",
        f"{ITEMS}/checks.py",
        "if not has_offset(value):",
        "if False:",
        f"{TESTS}/test_checks.py::test_item_is_refused_with_path_and_remedy",
    ),
    Mutant(
        "a float that is not finite is kept",
        f"{ITEMS}/checks.py",
        "                if not isfinite(value):\n                    raise _Flaw(_NOT_FINITE)\n",
        "",
        f"{TESTS}/test_checks.py::test_item_is_refused_with_path_and_remedy",
    ),
    Mutant(
        "the type tree is not measured",
        f"{ITEMS}/checks.py",
        "return Size(_RESERVED + size + node, depth)",
        "return Size(_RESERVED + size, depth)",
        f"{TESTS}/test_size.py::test_sizes_are_what_they_were",
    ),
    Mutant(
        "a list in a list counts as one level",
        f"{ITEMS}/checks.py",
        "depth += kind is list and not is_dict",
        "pass",
        f"{TESTS}/test_size.py::test_depth",
    ),
    Mutant(
        "a provider hides an item before it has expired",
        f"{ITEMS}/encoding.py",
        "    expires_at += _MARGIN\n",
        "",
        f"{TESTS}/test_expiry.py::test_native_expiry",
    ),
    Mutant(
        "the item of another key is given out",
        "src/leeward/_operations/results.py",
        "    if not (found.foreign or ",
        "    if not (not found.foreign or ",
        "tests/client/test_methods.py::test_the_item_of_another_key_is_refused",
    ),
    Mutant(
        "a provider may collect an item early",
        f"{ITEMS}/encoding.py",
        "due = ceil(expires_at)",
        "due = int(expires_at)",
        f"{TESTS}/test_expiry.py::test_native_expiry",
    ),
    Mutant(
        "a forged number of a few characters fills the memory of who writes it out",
        "src/leeward/json_text.py",
        "    return first < 0 or not number or int(number.as_tuple().exponent) > MOST_EXPONENT",
        "    return False",
        "tests/items/test_forged.py::test_a_bomb_does_not_go_off",
    ),
    Mutant(
        "a text may hold any number of values",
        "src/leeward/json_text.py",
        "if len(text) > MOST_VALUES and _values_in(text) > MOST_VALUES:",
        "if False:",
        "tests/test_json_text.py::test_values_have_an_end",
    ),
)
