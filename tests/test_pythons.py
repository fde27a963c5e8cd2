"""What runs the fast tests on every Python of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pythons import FAST, ROOT, find, supported


def test_the_fast_tests_are_there() -> None:
    """A path that is not there would make pytest stop."""
    assert [path for path in FAST if not (ROOT / path.partition("::")[0]).exists()] == []


def test_the_supported_versions_are_those_that_are_declared() -> None:
    """From the lowest that the distribution takes, without a gap."""
    numbers = [int(version.partition(".")[2]) for version in supported()]
    assert numbers == list(range(11, 11 + len(numbers)))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole path, with nothing of pyenv or uv beside it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def python(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_python_that_does_not_work_is_passed_over(machine: Path) -> None:
    """A shim of pyenv may lead nowhere, and a Python be built without TLS or SQLite."""
    python(machine / "python3.99", "exit 1")
    assert find("3.99") is None
    behind = python(machine / "pyenv/versions/3.99.1/bin/python3.99", "echo 3.99.1")
    found = find("3.99")
    assert found is not None
    assert (found.path, found.version, found.minor) == (behind, "3.99.1", "3.99")


def test_a_python_of_another_version_is_passed_over(machine: Path) -> None:
    """What is called 3.99 may be anything."""
    python(machine / "python3.99", "echo 3.9.18")
    assert find("3.99") is None
