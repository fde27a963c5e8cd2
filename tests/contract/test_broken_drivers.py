"""A contract is worth what it finds: each broken driver fails, by the test that is meant for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import leeward_contract_tests
from tests.contract import broken_suite
from tests.contract.cases import CASES, Case

ROOT = Path(__file__).parents[2]


FAILED = re.compile(
    r"(?:SUBFAILED\[(?P<subtest>[^]]*)\]|FAILED) \S+::(?P<suite>\w+)::(?P<test>\S+)"
)
"""A line of pytest's summary."""


@pytest.fixture(scope="module")
def failures() -> set[tuple[str, str, str | None]]:
    """Run what is expected to fail, in one go; return what failed: suite, test and subtest."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rf", "-p", "no:cacheprovider"]
    wanted = [f"{broken_suite.__file__}::{case.suite}::{case.found_by}" for case in CASES]
    done = subprocess.run(
        [*command, *wanted], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return {
        (found["suite"], found["test"], found["subtest"]) for found in FAILED.finditer(done.stdout)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.driver.__name__)
def test_a_broken_driver_fails_by_name(
    failures: set[tuple[str, str, str | None]], case: Case
) -> None:
    """The test that is meant for a mistake fails on the driver that makes it."""
    assert (case.suite, case.found_by, case.subtest) in failures


def test_every_contract_finds_something() -> None:
    """No contract is without a broken driver that it has to find."""
    assert len(CASES) >= 12
    assert {case.contract.__name__ for case in CASES} == {
        name for name in dir(leeward_contract_tests) if name.endswith("Contract")
    } - {"Contract", "DriverContract"}
