"""Faults in packages of an app, and in their templates."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a wheel for a newer glibc is taken",
        "deploy/src/leeward_deploy/uv.py Goal.tags",
        "range(minor, 4, -1)",
        "range(99, 4, -1)",
        "tests/packages/test_parts.py::test_a_wheel_loads_where_its_tags_say",
    ),
    Mutant(
        "a name that the code does not show is left out",
        "deploy/src/leeward_deploy/uses.py Uses._look_at_call",
        "if texts is None:\n    ...\nelse:\n    ...",
        "if texts is None and (not scopes):\n    ...\nelse:\n    ...",
        "tests/packages/test_uses.py::test_what_the_code_does_not_show_is_told",
    ),
    Mutant(
        "a dead letter on Google is kept nowhere",
        "deploy/src/leeward_deploy/google/template.py _push",
        "_keep(made, dead.name, letters)\n...",
        "...",
        "tests/packages/test_terraform.py::"
        "test_on_google_each_handler_is_pushed_to_and_its_dead_letters_are_kept",
    ),
    Mutant(
        "Azure tolerates as many failures as are to count",
        "deploy/src/leeward_deploy/azure/surroundings.py add_failover",
        "deployment.failures - 1",
        "deployment.failures",
        "tests/packages/test_exports.py::test_a_dead_region_is_left_after_150_seconds",
    ),
)
