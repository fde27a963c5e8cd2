"""Faults of the contract itself: a suite that finds less than it says."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "runs are not counted",
        "contract_tests/src/leeward_contract_tests/contracts/observations.py Runs.count",
        "answer - self._looks",
        "0",
        "tests/contract/test_broken_drivers.py::"
        "test_a_broken_driver_fails_by_name[RunsWhatItHasRefused]",
    ),
    Mutant(
        "refusals are checked without their cause",
        "contract_tests/src/leeward_contract_tests/contracts/refusals.py RefusalKind.check",
        "result.cause is not None or result.code",
        "result.outcome",
        "tests/contract/test_broken_drivers.py::test_a_broken_driver_fails_by_name[LosesTheCause]",
    ),
    Mutant(
        "a test that is left out is not missed",
        "contract_tests/src/leeward_contract_tests/contracts/base.py "
        "Contract.test_every_contract_test_is_there",
        "replaced == []",
        "replaced is not None",
        "tests/contract/test_guard.py::test_the_guard_names_what_was_left_out",
    ),
    Mutant(
        "what is not declared is not tried",
        "contract_tests/src/leeward_contract_tests/contracts/capabilities.py Undeclared.is_refused",
        "self._check(capability)\n...",
        "...",
        "tests/contract/test_lacking.py::test_a_call_that_is_not_refused_is_found",
    ),
)
