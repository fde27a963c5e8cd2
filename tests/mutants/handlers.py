"""Faults of what handlers tell: in logs, of their inputs, of their health."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "the text of anybody's exception is logged",
        "src/leeward/logs.py failure_facts",
        "isinstance(error, LeewardError) and (not isinstance(error, InvalidRequest))",
        "True",
        "tests/app/test_core.py::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "whoever asks for the health of an instance makes it try each time",
        "src/leeward/app/warming.py WarmValues.make_all_if_due",
        "self._due = monotonic() + RETRY_PAUSE",
        "pass",
        "tests/app/test_app.py::test_an_instance_that_cannot_make_what_it_shares_is_not_healthy",
    ),
    Mutant(
        "a warm-up that fails is raised to the platform, with its text",
        "src/leeward/app/host.py Host.warm_up_early",
        "BaseException",
        "KeyError",
        "tests/app/test_app.py::test_no_platform_is_told_why_a_warm_up_has_failed",
    ),
    Mutant(
        "a handler of logs that raises ends the call",
        "src/leeward/logs.py only_watching",
        "if is_from_signal(error):\n    raise",
        "raise",
        "tests/client/test_watching.py::test_a_log_handler_that_raises_changes_no_outcome",
    ),
)
