"""The suite where a plugin author has it: installed, away from its source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import leeward_contract_tests
from leeward_contract_tests.contracts import tables

PLUGIN_TEST = """
import pytest
from leeward.adapter import Result
from leeward.local import Local
from leeward.testing import FaultyDriver
from leeward_contract_tests import FailureContract, TablesContract


class Broken(FaultyDriver):
    def perform(self, call, timeout):
        return Result.ok(None)


class TestBroken(TablesContract):
    @pytest.fixture
    def driver(self):
        driver = Broken(Local())
        yield driver
        driver.close()


class TestNoDriver(TablesContract):
    pass


class TestNoFaults(FailureContract):
    @pytest.fixture
    def driver(self):
        driver = Local()
        yield driver
        driver.close()
"""

TESTS = [
    "TestBroken::test_store_keeps_the_write_id",
    "TestNoDriver::test_store_keeps_the_write_id",
    "TestNoFaults::test_a_lost_answer_to_a_load_is_not_an_absent_item",
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install a copy of the suite as it is in a wheel, and run a plugin's tests against it."""
    site, plugin = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("plugin")
    source = Path(leeward_contract_tests.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, site / source.name, ignore=ignored)
    (plugin / "test_plugin.py").write_text(PLUGIN_TEST, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"]
        + [f"test_plugin.py::{test}" for test in TESTS],
        cwd=plugin,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{site.name}/{source.name}/contracts" in done.stdout, "that was not the copy"
    return done.stdout


def test_the_contracts_are_rewritten() -> None:
    """Their asserts show what was compared: pytest has rewritten them."""
    assert "@pytest_ar" in vars(tables)


def test_a_failure_shows_what_was_compared(output: str) -> None:
    """An installed suite fails readably too."""
    assert "assert None is not None" in output


def test_a_class_without_driver_is_told_so(output: str) -> None:
    """What is absent is named, with what to provide."""
    assert "TestNoDriver has no driver: give it a fixture `driver`" in output


def test_a_class_without_faults_is_told_so(output: str) -> None:
    """The failure contract without faults fails, and does not skip."""
    assert "TestNoFaults has no faults: give it a fixture `faults`" in output
    assert "skipped" not in output
