"""Faults of the configuration: orders, homes, keys, and what its messages show."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "the letters of a text are taken for names",
        "src/leeward/config/model.py check_lists",
        "isinstance(value, str)",
        "False",
        "tests/config/test_residency.py::test_a_text_is_not_read_as_its_letters",
    ),
    Mutant(
        "a place is the failover of itself",
        "src/leeward/opening.py check_places",
        "(place or shared) and first < len(seen) - 1",
        "False",
        "tests/clouds/test_one_place.py::test_a_place_under_two_names_is_refused",
    ),
    Mutant(
        "the doctor approves a place that is the failover of itself",
        "src/leeward/cli/global_options.py open_each",
        "check_places(config, [*drivers.values(), driver])",
        "None",
        "tests/cli/test_doctor.py::test_one_place_under_two_names_is_a_fault",
    ),
    Mutant(
        "two accounts of a region are one place",
        "src/leeward/opening.py check_places",
        "target_config(target, config, NOTHING).options if shared else None",
        "None",
        "tests/clouds/test_one_place.py::test_two_places_are_taken",
    ),
    Mutant(
        "what has a residency is kept elsewhere",
        "src/leeward/config/model.py check_kept",
        "where not in residency",
        "where is None",
        "tests/config/test_residency.py::"
        "test_what_is_kept_elsewhere_is_refused_with_field_and_remedy",
    ),
    Mutant(
        "an unknown key is ignored",
        "src/leeward/config/sections.py refuse_unknown",
        "key not in known",
        "False",
        "tests/client/test_bad_inputs.py::test_a_bad_file_is_refused",
    ),
    Mutant(
        "a guessed variable is ignored",
        "src/leeward/config/load.py _refuse_misspelt",
        "_GUESSES.get(bare)",
        "None",
        "tests/config/test_load.py::test_a_guessed_variable_is_refused",
    ),
    Mutant(
        "a variable for a key of a table is ignored",
        "src/leeward/config/load.py _place_in_file",
        "rest != key and (table == 'targets' or f'_{rest}'.endswith(_FIELDS))",
        "False",
        "tests/config/test_load.py::test_a_variable_for_a_key_of_a_table_is_refused",
    ),
    Mutant(
        "data is kept in a runtime that loses it",
        "src/leeward/config/load.py _order",
        "env.get(variable)",
        "False",
        "tests/config/test_load.py::test_a_runtime_needs_the_variable",
    ),
    Mutant(
        "a function is its own probe",
        "src/leeward/config/load.py check_probes",
        "probe == name",
        "False",
        "tests/client/test_probe_functions.py::test_a_probe_that_cannot_be_one_is_refused",
    ),
)
