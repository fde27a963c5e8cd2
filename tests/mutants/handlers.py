"""Faults of what handlers tell: in logs, of their inputs, of their health."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_CORE: Final = "tests/app/test_core.py"
_LOGS: Final = "src/leeward/logs.py"

MUTANTS: Final = (
    Mutant(
        "the text of anybody's exception is logged",
        _LOGS,
        "if isinstance(error, LeewardError) and not isinstance(error, InvalidRequest):",
        "if True:",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "a subclass of a user's passes for an error of leeward's",
        _LOGS,
        'type(error).__module__.startswith("leeward.")',
        "True",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "a failure does not say where it comes from",
        _LOGS,
        '        found["at"] = ", ".join(places)\n',
        "        pass\n",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "JSON logs drop what was logged beside the text",
        "src/leeward/app/json_logs.py",
        "            if name not in _RECORD:",
        "            if False:",
        "tests/app/test_json_logs.py::test_whatever_is_logged_is_a_line",
    ),
)
