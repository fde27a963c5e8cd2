"""A contract is worth what it finds: each broken driver fails, by the test that is meant for it."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

import leeward_contract_tests
from tests.contract import broken_suite
from tests.contract.cases import CASES, Case

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Run what is expected to fail, in one go; give the failed tests of each suite."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
    wanted = [f"{broken_suite.__file__}::{case.suite}::{case.found_by}" for case in CASES]
    done = subprocess.run(
        [*command, f"--junit-xml={report}", *wanted],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    failed: dict[str, set[str]] = defaultdict(set)
    for test in ElementTree.parse(report).iter("testcase"):
        if test.find("failure") is not None:
            failed[test.attrib["classname"].rpartition(".")[2]].add(test.attrib["name"])
    return failed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.driver.__name__)
def test_a_broken_driver_fails_by_name(failures: Mapping[str, set[str]], case: Case) -> None:
    """The test that is meant for a mistake fails on the driver that makes it."""
    assert case.found_by in failures[case.suite]


def test_every_contract_finds_something() -> None:
    """No contract is without a broken driver that it has to find."""
    assert len(CASES) >= 12
    assert {case.contract.__name__ for case in CASES} == {
        name for name in dir(leeward_contract_tests) if name.endswith("Contract")
    } - {"Contract", "DriverContract"}
