"""Faults of the configuration: orders, homes, keys, and what its messages show."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

CONFIG: Final = "src/leeward/config"
TESTS: Final = "tests/client"

RESIDENCY: Final = "tests/config/test_residency.py"

MUTANTS: Final = (
    Mutant(
        "what has a residency is kept elsewhere",
        f"{CONFIG}/model.py",
        "            if residency and kept and where not in residency and not is_here:",
        "            if residency and kept and where is None and not is_here:",
        f"{RESIDENCY}::test_what_is_kept_elsewhere_is_refused_with_field_and_remedy",
    ),
    Mutant(
        "records of a key lie outside of a residency",
        "src/leeward/opening.py",
        "        if table is not None and home is not None:",
        "        if table is None and home is not None:",
        f"{RESIDENCY}::test_what_is_kept_elsewhere_is_refused_with_field_and_remedy",
    ),
    Mutant(
        "a mistake of residency hides the next one",
        f"{CONFIG}/model.py",
        "    check_kept(config, *keepers, known=flaws)",
        "    check_kept(config, *keepers[:1], known=flaws)",
        f"{RESIDENCY}::test_all_mistakes_come_at_once",
    ),
    Mutant(
        "a target stands twice in an order",
        f"{CONFIG}/model.py",
        "if twice is not None:",
        "if False:",
        f"{TESTS}/test_bad_inputs.py::test_a_bad_file_is_refused",
    ),
    Mutant(
        "an unknown key is ignored",
        f"{CONFIG}/sections.py",
        "        if key not in known:\n",
        "        if False:\n",
        f"{TESTS}/test_bad_inputs.py::test_a_bad_file_is_refused",
    ),
    Mutant(
        "data is kept in a runtime that loses it",
        f"{CONFIG}/load.py",
        "        if env.get(variable):\n",
        "        if False:\n",
        "tests/config/test_load.py::test_a_runtime_needs_the_variable",
    ),
    Mutant(
        "the home of the environment does not win",
        f"{CONFIG}/load.py",
        "table._replace(home=None)",
        "table",
        "tests/config/test_load.py::test_the_data_target_of_the_environment_wins",
    ),
    Mutant(
        "a value in the wrong place stands in the message",
        f"{CONFIG}/sections.py",
        'return "an empty one" if value == "" else type(value).__name__',
        "return repr(value)",
        f"{TESTS}/test_bad_inputs.py::test_a_bad_file_is_refused",
    ),
    Mutant(
        "a misspelt CLOUD_PROVIDER leads to the embedded store",
        "src/leeward/config/load.py",
        "    _refuse_misspelt(trusted, (ORDER,))\n",
        "",
        "tests/config/test_load.py::test_a_misspelt_variable_is_refused",
    ),
    Mutant(
        "a function is its own probe",
        "src/leeward/config/load.py",
        "if probe == name:",
        "if False:",
        "tests/client/test_probe_functions.py::test_a_probe_that_cannot_be_one_is_refused",
    ),
    Mutant(
        "a probe may have an effect",
        "src/leeward/config/load.py",
        "known.effect not in (None, Effect.READ_ONLY):",
        "known.effect is Effect.KEYED:",
        "tests/client/test_probe_functions.py::test_a_probe_that_cannot_be_one_is_refused",
    ),
)
